// JupyterLab with the site's own face: colours, logo, title, and where people find help. The hub hands the brand over
// when a server starts (page_config's option dropsondeBrand); without one all stays JupyterLab's own.
const HUB = "dropsonde:hub";
const HELP = "dropsonde:help";
const CONTACT = "dropsonde:contact";
const EXAMPLES = "dropsonde:examples";

function icon(lab, name, path) {
  const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16" height="16">
    <path class="jp-icon3" fill="#616161" d="${path}"/></svg>`;
  return new lab["ui-components"].LabIcon({ name, svgstr });
}

const HOUSE = "M12 3 2 12h3v8h6v-6h2v6h6v-8h3L12 3z";
const QUESTION = "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm1 15h-2v-2h2v2zm2-7.8-.9.9c-.7.7-1.1 1.3-1.1 2.9h-2v-.5c0-1.1.5-2.1 1.2-2.8l1.2-1.3a2 2 0 1 0-3.4-1.4H8a4 4 0 1 1 7 2.2z";
const LETTER = "M20 4H4a2 2 0 0 0-2 2v12c0 1.1.9 2 2 2h16a2 2 0 0 0 2-2V6a2 2 0 0 0-2-2zm0 4-8 5-8-5V6l8 5 8-5v2z";
const SHELF = "M4 4h4v16H4V4zm6 0h4v16h-4V4zm6.3.4 3.9-.8 3 15.7-3.9.7-3-15.6z";

// The style variables of both themes. JupyterLab reads some of its own where the root is, so ours are there, too.
function variables(brand) {
  const theme = (shades, main) => `
    --brand-fill: ${shades.fill}; --brand-on-fill: ${shades.on_fill}; --brand-accent: ${shades.accent};
    --jp-brand-color0: color-mix(in srgb, ${main} 82%, black); --jp-brand-color1: ${main};
    --jp-brand-color2: color-mix(in srgb, ${main} 62%, white); --jp-brand-color3: color-mix(in srgb, ${main} 30%, white);
    --jp-brand-color4: color-mix(in srgb, ${main} 12%, white); --jp-content-link-color: ${shades.accent};
    --jp-content-link-hover-color: ${shades.accent}; --jp-focus-outline-color: ${shades.accent};
    --jp-accept-color-normal: ${brand.accent}; --jp-accept-color-hover: color-mix(in srgb, ${brand.accent} 88%, black);
    --jp-accept-color-active: color-mix(in srgb, ${brand.accent} 76%, black);`;
  const names = ["fill", "on_fill", "accent"];
  const dark = Object.fromEntries(names.map((name) => [name, brand[`${name}_dark`]]));
  return `
    :root:has(> body[data-jp-theme-light="true"]) {${theme(brand, brand.accent)}}
    :root:has(> body[data-jp-theme-light="false"]) {${theme(dark, dark.fill)}}`;
}

function paint(brand) {
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet" });
  sheet.href = new URL("brand.css", import.meta.url);
  document.head.append(sheet, Object.assign(document.createElement("style"), { textContent: variables(brand) }));
}

// Puts the name into the window's title whenever JupyterLab writes its own there.
function rename(brand) {
  const write = () => {
    const title = document.title.replace(/JupyterLab( \(.*\))?$/, (_own, workspace) => brand.name + (workspace ?? ""));
    if (title !== document.title) document.title = title;
  };
  write();
  new MutationObserver(write).observe(document.querySelector("title"), { childList: true });
}

// Returns a link to the hub with the site's logo, or with its name where it has none.
function logo(brand, home, file) {
  const link = Object.assign(document.createElement("a"), { href: home, target: "_blank", title: `${brand.name}: the hub` });
  const pictures = [[brand.logo, brand.logo_dark ? "dropsonde-light" : ""], [brand.logo_dark, "dropsonde-dark"]];
  for (const [picture, className] of pictures) {
    if (picture) link.append(Object.assign(document.createElement("img"), { src: file(picture), alt: brand.name, className }));
  }
  if (!brand.logo) link.textContent = brand.name;
  return link;
}

export function plugin(lab) {
  const { application, apputils, coreutils, launcher, mainmenu, widgets } = lab;

  function activate(app, shell, menu, cards, palette) {
    const option = (key) => coreutils.PageConfig.getOption(key);
    const brand = JSON.parse(option("dropsondeBrand") || "{}");
    if (!brand.name) return;
    paint(brand);
    rename(brand);

    const hub = option("hubHost") + option("hubPrefix");
    const file = (picture) => `${hub}static/look/${encodeURIComponent(picture)}`;
    const tab = document.querySelector("link.idle.favicon");
    if (tab && hub && brand.favicon) Object.assign(tab, { href: file(brand.favicon), type: "" });
    if (shell && hub) {
      const widget = new widgets.Widget({ node: document.createElement("div") });
      widget.id = "dropsonde-logo";
      widget.node.append(logo(brand, `${hub}home`, file));
      shell.add(widget, "top", { rank: 0 });
    }

    const opens = (address) => () => void window.open(address, "_blank", "noopener");
    const ways = [
      [HUB, `${brand.name}: the Hub`, "Your server, your tokens", HOUSE, hub && opens(`${hub}home`)],
      [EXAMPLES, "Example Workflows", "Notebooks that show what is here", SHELF,
        shell && (() => app.commands.execute("filebrowser:open-path", { path: "workflows", dontShowBrowser: false }))],
      [HELP, "Help", brand.help_url, QUESTION, brand.help_url && opens(brand.help_url)],
      [CONTACT, "Ask Us", brand.contact, LETTER, brand.contact_href && opens(brand.contact_href)],
    ].filter(([, , , , execute]) => execute);
    ways.forEach(([command, label, caption, path, execute], rank) => {
      app.commands.addCommand(command, { label, caption, icon: icon(lab, command, path), execute });
      cards?.add({ command, category: brand.name, rank });
      palette?.addItem({ command, category: "Help" });
    });
    menu?.helpMenu.addGroup(ways.map(([command]) => ({ command })), 0);
  }

  const wanted = [application?.ILabShell, mainmenu?.IMainMenu, launcher?.ILauncher, apputils?.ICommandPalette];
  return { id: "dropsonde:brand", autoStart: true, optional: wanted.map((token) => token ?? null), activate };
}
