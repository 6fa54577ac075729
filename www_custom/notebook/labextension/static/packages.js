// "Packages" in the launcher and in the command palette: opens the table of all packages as a tab.
import { PackageTable } from "./table.js";

const COMMAND = "dropsonde:packages";
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16" height="16">
  <g class="jp-icon3" fill="#616161"><path d="M12 2 3 6.5v11L12 22l9-4.5v-11L12 2zm0 2.2 6.3 3.1L12 10.5 5.7 7.3 12 4.2z
  M5 8.9l6 3v7.1l-6-3V8.9zm14 0v7.1l-6 3v-7.1l6-3z"/></g></svg>`;
// The volume's list and the image's; JupyterLab serves both under this extension's address.
const LISTS = ["manifest.json", "image.json"];

async function packagesOf(list) {
  const response = await fetch(new URL(list, import.meta.url), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${list}: ${response.status}`);
  return (await response.json()).packages;
}

// Fills a table with what can be read.
async function fill(table) {
  const results = await Promise.allSettled(LISTS.map(packagesOf));
  const found = results.flatMap((result) => result.value ?? []);
  table.show(found, results.every((result) => result.status === "fulfilled"));
}

export function plugin(lab) {
  const { launcher, apputils, coreutils, application, widgets } = lab;
  const version = coreutils.PageConfig.getOption("dropsondeVersion");
  const icon = new lab["ui-components"].LabIcon({ name: COMMAND, svgstr: ICON });

  class Content extends widgets.Widget {
    constructor(table) {
      super({ node: table.node });
      this.table = table;
    }
    onActivateRequest() {
      this.table.focus();
    }
  }

  function open() {
    const table = new PackageTable(document, version);
    void fill(table);
    const tab = new apputils.MainAreaWidget({ content: new Content(table) });
    tab.id = "dropsonde-packages";
    tab.title.label = "Packages";
    tab.title.icon = icon;
    tab.title.closable = true;
    return tab;
  }

  function activate(app, cards, palette, restorer) {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet" });
    style.href = new URL("packages.css", import.meta.url);
    document.head.append(style);

    const tracker = new apputils.WidgetTracker({ namespace: "dropsonde-packages" });
    let tab = null;
    app.commands.addCommand(COMMAND, {
      label: "Packages",
      caption: "All libraries and tools that are installed, with their versions",
      icon,
      execute: () => {
        if (!tab || tab.isDisposed) {
          tab = open();
          app.shell.add(tab, "main");
          void tracker.add(tab);
        }
        app.shell.activateById(tab.id);
        return tab;
      },
    });
    cards?.add({ command: COMMAND, category: "Other", rank: -1 });
    palette?.addItem({ command: COMMAND, category: "Help" });
    void restorer?.restore(tracker, { command: COMMAND, name: () => "packages" });
  }

  return {
    id: "dropsonde:packages",
    autoStart: true,
    optional: [launcher?.ILauncher, apputils.ICommandPalette, application.ILayoutRestorer].map((token) => token ?? null),
    activate,
  };
}
