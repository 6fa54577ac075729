// What JupyterLab loads first: an extension in the form of those that are built ("prebuilt", module federation), but
// written by hand, so that no build and no Node.js is needed. JupyterLab calls `init` with its own modules, then `get`.
(() => {
  const folder = new URL(".", document.currentScript.src);
  let scope = {};

  // Returns JupyterLab's own copy of one of its modules; null where the page (Notebook's, for example) has none.
  async function shared(name) {
    const versions = Object.values(scope[name] ?? {});
    const chosen = versions.find((version) => version.loaded) ?? versions[0];
    return chosen ? (await chosen.get())() : null;
  }

  const names = [
    "@jupyterlab/application",
    "@jupyterlab/apputils",
    "@jupyterlab/coreutils",
    "@jupyterlab/launcher",
    "@jupyterlab/mainmenu",
    "@jupyterlab/ui-components",
    "@lumino/widgets",
  ];

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB.dropsonde = {
    init(given) {
      scope = given;
    },
    async get() {
      const loaded = await Promise.all(names.map(shared));
      const lab = Object.fromEntries(names.map((name, index) => [name.split("/")[1], loaded[index]]));
      const parts = await Promise.all(["brand.js", "packages.js", "notices.js"].map((file) => import(new URL(file, folder))));
      return () => ({ __esModule: true, default: parts.map((part) => part.plugin(lab)) });
    },
  };
})();
