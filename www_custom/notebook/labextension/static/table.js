// A table of packages that can be searched and sorted. Knows nothing of JupyterLab; texts go in as text, never as HTML.
const COLUMNS = [
  { key: "name", label: "Name" },
  { key: "version", label: "Version" },
  { key: "language", label: "Language" },
  { key: "source", label: "Source" },
];
// "10" after "9", and capitals among small letters.
const { compare } = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export class PackageTable {
  // version: the libraries' version, empty where there is none.
  constructor(document, version) {
    this.document = document;
    this.version = version;
    this.rows = [];
    this.node = this.make("div", "dropsonde-packages");
    this.search = this.make("input", "jp-mod-styled");
    Object.assign(this.search, { type: "search", placeholder: "Search by name, version, language or source" });
    this.search.setAttribute("aria-label", "Search packages");
    this.search.addEventListener("input", () => this.filter());
    this.status = this.make("p", "dropsonde-packages-status");
    this.status.setAttribute("role", "status");
    this.status.textContent = "Reading the list of packages …";
    this.body = this.make("tbody");
    const head = this.make("header");
    head.append(this.search, this.status);
    this.node.append(head, this.scrollable());
  }

  make(tag, className = "", text = "") {
    return Object.assign(this.document.createElement(tag), { className, textContent: text });
  }

  scrollable() {
    const table = this.make("table");
    const row = table.createTHead().insertRow();
    this.heads = COLUMNS.map(({ key, label }) => {
      const cell = this.make("th");
      cell.scope = "col";
      const button = this.make("button", "", label);
      button.type = "button";
      button.addEventListener("click", () => this.sort(key, cell.getAttribute("aria-sort") === "ascending"));
      cell.append(button);
      row.append(cell);
      return cell;
    });
    table.append(this.body);
    const area = this.make("div", "dropsonde-packages-area");
    area.tabIndex = 0; // so that the arrow keys scroll it
    area.setAttribute("role", "region");
    area.setAttribute("aria-label", "Packages");
    area.append(table);
    return area;
  }

  focus() {
    this.search.focus();
  }

  // packages: a list of { name, version, source, language }. complete: whether that is all, or a list is missing.
  show(packages, complete) {
    this.incomplete = !complete;
    this.rows = packages.map((entry) => {
      const row = this.make("tr");
      const texts = COLUMNS.map(({ key }) => String(entry[key] ?? ""));
      row.append(...texts.map((text) => this.make("td", "", text)));
      return { row, entry, text: texts.join(" ").toLowerCase() };
    });
    this.sort("name", false);
    this.filter();
  }

  sort(key, descending) {
    const sign = descending ? -1 : 1;
    const value = (row, column) => String(row.entry[column] ?? "");
    this.rows.sort((a, b) => sign * compare(value(a, key), value(b, key)) || compare(value(a, "name"), value(b, "name")));
    this.body.append(...this.rows.map(({ row }) => row));
    COLUMNS.forEach((column, index) => {
      if (column.key !== key) this.heads[index].removeAttribute("aria-sort");
      else this.heads[index].setAttribute("aria-sort", descending ? "descending" : "ascending");
    });
  }

  filter() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of this.rows) {
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    const all = this.rows.length;
    const count = words.length ? `${shown.toLocaleString("en")} of ${all.toLocaleString("en")}` : all.toLocaleString("en");
    const version = this.version ? ` · version ${this.version}` : "";
    const missing = this.incomplete ? " · A list could not be read: please tell the people who run this hub." : "";
    this.status.textContent = `${count} packages${version}${missing}`;
  }
}
