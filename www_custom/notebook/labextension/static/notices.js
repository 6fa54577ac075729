// Tells people what the hub announces, that another version of the libraries is in use by now, that their approval ends
// or their home gets full, and which of their own packages do not fit.
const MINUTE = 60 * 1000;
const ASK_EVERY = 10 * MINUTE;
const ASK_APPROVAL_EVERY = MINUTE / 4;
// How many of somebody's own packages a notice names; JupyterLab shortens texts of more than 140 characters.
const NAMED = 3;

// Returns what the hub knows, null where it cannot be asked: it may be away for a moment, and nobody needs to know.
async function ask(address) {
  try {
    const response = await fetch(address, { cache: "no-store", credentials: "include", redirect: "manual" });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

// Says it in words that hold for a newer version as well as for one that was pinned or gone back to.
function otherVersion(built) {
  const day = new Date(built);
  const which = Number.isNaN(day.getTime()) ? "Other libraries" : `The libraries of ${format(day)}`;
  return `${which} are in use now. Save your work, choose File > Hub Control Panel, then stop and start your server.`;
}

function format(day) {
  return day.toLocaleDateString("en", { day: "numeric", month: "long", year: "numeric" });
}

function watch(app, Notification, address, running) {
  let asked = -Infinity;
  let told = false;
  async function tick() {
    if (told || document.visibilityState !== "visible" || Date.now() - asked < ASK_EVERY) return;
    asked = Date.now();
    const answer = await ask(address);
    const current = running || answer?.running;
    if (told || !current || !answer?.next || answer.next === current) return;
    told = true;
    const panel = { label: "Hub Control Panel", callback: () => void app.commands.execute("hub:control-panel") };
    const actions = app.commands.hasCommand("hub:control-panel") ? [panel] : [];
    Notification.info(otherVersion(answer.next_built), { autoClose: false, actions });
  }
  void tick();
  setInterval(() => void tick(), MINUTE);
  document.addEventListener("visibilitychange", () => void tick());
}

// Shows what the hub says (of the user's approval or home, or to everybody), each text once, and takes back what it says no more.
function watchText(Notification, address, every) {
  let shown = "";
  let id = "";
  async function tick() {
    const answer = await ask(address);
    if (answer === null) return;
    const until = answer.until_text ? ` (until ${answer.until_text})` : "";
    const text = answer.text ? answer.text + until : "";
    if (text === shown) return;
    if (id) Notification.dismiss(id);
    shown = text;
    id = shown && Notification[answer.level === "danger" ? "error" : "warning"](shown, { autoClose: false });
  }
  void tick();
  setInterval(() => void tick(), every);
}

// misfits: a list of { name, problem }.
function ownPackages({ apputils, widgets }, misfits) {
  const names = misfits.slice(0, NAMED).map(({ name }) => name);
  const more = misfits.length > NAMED ? ` and ${misfits.length - NAMED} more` : "";
  function explain() {
    const node = document.createElement("ul");
    for (const { name, problem } of misfits) {
      node.append(Object.assign(document.createElement("li"), { textContent: `${name}: ${problem}` }));
    }
    const body = new widgets.Widget({ node });
    const buttons = [apputils.Dialog.okButton()];
    void apputils.showDialog({ title: "Your own packages that do not fit", body, buttons });
  }
  apputils.Notification.warning(`Some of your own packages do not fit these libraries: ${names.join(", ")}${more}.`, {
    autoClose: false,
    actions: [{ label: "Show why", callback: explain }],
  });
}

export function plugin(lab) {
  const option = (name) => lab.coreutils.PageConfig.getOption(name);

  function activate(app) {
    void app.restored.then(() => {
      const misfits = JSON.parse(option("dropsondeOwnPackages") || "[]");
      if (misfits.length) ownPackages(lab, misfits);
      // Without a prefix there is no hub; its host is another one where servers have host names of their own.
      if (option("hubPrefix")) {
        const hub = `${option("hubHost")}${option("hubPrefix")}`;
        watch(app, lab.apputils.Notification, `${hub}version`, option("dropsondeVersion"));
        watchText(lab.apputils.Notification, `${hub}approval`, ASK_APPROVAL_EVERY);
        watchText(lab.apputils.Notification, `${hub}announcement`, MINUTE);
        watchText(lab.apputils.Notification, `${hub}disk`, MINUTE);
      }
    });
  }

  return { id: "dropsonde:notices", autoStart: true, activate };
}
