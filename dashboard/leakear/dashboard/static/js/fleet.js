// The fleet: tiles to count and filter, a search, and a list that holds only the rows in view.
import { h, say } from "./dom.js";
import { number, t } from "./i18n.js";
import { fleet, on } from "./store.js";
import { GROUPS, group, look, rank, shape, shown, word } from "./states.js";
import { colour } from "./charts.js";
import { nodeRow, siteRow } from "./rows.js";

const NARROW = window.matchMedia("(max-width: 860px)");
const SITE_HEIGHT = 36;
const COLUMNS = ["state", "node", "score", "level", "seen", "faults", "model", "queue"];
const SORTS = {
  urgency: (a, b) => rank(a) - rank(b) || name(a, b),
  name: (a, b) => name(a, b),
  score: (a, b) => (b.score ?? -1) - (a.score ?? -1) || name(a, b),
  level: (a, b) => (b.level ?? -999) - (a.level ?? -999) || name(a, b),
  seen: (a, b) => (a.seen ?? 0) - (b.seen ?? 0) || name(a, b),
};
const collator = new Intl.Collator(undefined, { numeric: true });

function name(a, b) {
  return collator.compare(a.site, b.site) || collator.compare(a.node, b.node);
}

export function fleetPage(go) {
  const view = new FleetView(go);
  return { element: view.element, close: () => view.close(), title: t("fleet") };
}

class FleetView {
  constructor(go) {
    this.go = go;
    this.filter = null;
    this.search = sessionStorage.getItem("leakear.search") ?? "";
    this.sort = localStorage.getItem("leakear.sort") ?? "urgency";
    this.grouped = localStorage.getItem("leakear.grouped") === "yes";
    this.items = [];
    this.pool = new Map();
    this.focus = null;
    this.build();
    this.ends = [
      on("fleet", () => this.arrange()),
      on("diff", ({ heads }) => (heads || this.sort !== "urgency" ? this.arrange() : this.paint())),
    ];
    this.clock = setInterval(() => this.paint(), 1000);
    this.keys = (event) => this.shortcut(event);
    this.narrow = () => this.arrange();
    document.addEventListener("keydown", this.keys);
    NARROW.addEventListener("change", this.narrow);
    new ResizeObserver(() => this.paint()).observe(this.rows);
    queueMicrotask(() => this.arrange());
  }

  close() {
    this.ends.forEach((end) => end());
    clearInterval(this.clock);
    document.removeEventListener("keydown", this.keys);
    NARROW.removeEventListener("change", this.narrow);
  }

  build() {
    this.tiles = new Map(GROUPS.map((key) => [key, this.tile(key)]));
    this.box = h("input", {
      type: "search", placeholder: t("search.placeholder"), "aria-label": t("search.placeholder"), value: this.search,
      title: t("search.key"), oninput: () => this.seek(),
    });
    const sorts = h("select", { onchange: (e) => this.keep("sort", e.target.value) },
      Object.keys(SORTS).map((key) => h("option", { value: key, selected: key === this.sort }, t(`sort.${key}`))));
    this.groupButton = h("button", { "aria-pressed": String(this.grouped), onclick: () => this.keep("grouped", !this.grouped) }, t("group"));
    this.shown = h("span.shown", { "aria-live": "polite" });
    this.all = h("div.all");
    this.rows = h("div.rows", { onscroll: () => this.paint(), onkeydown: (e) => this.walk(e) }, this.all);
    this.list = h("div.fleet", { role: "grid", "aria-label": t("fleet") },
      h("div.heads", { role: "row" }, COLUMNS.map((key) => h(`div.${key}-head`, { role: "columnheader" }, t(`column.${key}`)))), this.rows);
    this.nothing = h("div.empty", { hidden: true }, shape("UNKNOWN"), h("p"), h("p.dim"));
    this.rows.append(this.nothing);
    this.element = h("main", { id: "main" },
      h("div.tiles", null, [...this.tiles.values()].map((tile) => tile.element)),
      h("div.toolbar", null, this.box, h("label.inline", null, h("span.word", null, t("sort")), sorts), this.groupButton, this.shown), this.list);
  }

  tile(key) {
    const figure = h("div.number", null, "0");
    const element = h("button.tile", {
      "data-look": key === "gone" ? "gone" : look(key), "aria-pressed": "false",
      onclick: () => { this.filter = this.filter === key ? null : key; this.arrange(); },
    }, shape(key), h("div", null, figure, h("div.word", null, word(key))));
    return { element, figure };
  }

  keep(what, value) {
    this[what] = value;
    localStorage.setItem(`leakear.${what}`, value === true ? "yes" : value === false ? "no" : value);
    this.groupButton.setAttribute("aria-pressed", String(this.grouped));
    this.arrange();
  }

  seek() {
    this.search = this.box.value;
    sessionStorage.setItem("leakear.search", this.search);
    this.arrange();
  }

  /** Decide which rows there are, and where; then paint those in view. */
  arrange() {
    const words = this.search.toLowerCase().split(/\s+/).filter(Boolean);
    const counts = Object.fromEntries(GROUPS.map((key) => [key, 0]));
    const found = [];
    for (const node of fleet.nodes.values()) {
      const mine = group(node);
      counts[mine] += 1;
      if ((!this.filter || this.filter === mine) && words.every((w) => text(node).includes(w))) found.push(node);
    }
    found.sort(SORTS[this.sort] ?? SORTS.urgency);
    for (const [key, tile] of this.tiles) {
      say(tile.figure, number(counts[key]));
      tile.element.dataset.some = String(counts[key] > 0);
      tile.element.setAttribute("aria-pressed", String(this.filter === key));
    }
    this.items = place(found, this.grouped, NARROW.matches ? 88 : 48);
    const height = this.items.length ? this.items.at(-1).top + this.items.at(-1).height : 0;
    this.all.style.height = `${height}px`;
    this.list.setAttribute("aria-rowcount", String(found.length + 1));
    say(this.shown, t("shown", { shown: number(found.length), all: number(fleet.nodes.size) }));
    this.nothing.hidden = found.length > 0;
    say(this.nothing.children[1], t(fleet.nodes.size ? "nothing.found" : "nothing.yet"));
    say(this.nothing.children[2], fleet.nodes.size ? "" : t("nothing.hint"));
    this.paint();
  }

  paint() {
    const top = this.rows.scrollTop - 100;
    const bottom = this.rows.scrollTop + this.rows.clientHeight + 100;
    const drawn = [];
    const kept = new Set();
    for (let n = first(this.items, top); n < this.items.length && this.items[n].top < bottom; n++) {
      const item = this.items[n];
      kept.add(item.key);
      let row = this.pool.get(item.key);
      if (!row) {
        row = item.node ? nodeRow(item.node, this) : siteRow(item);
        this.pool.set(item.key, row);
        this.all.append(row.element);
      }
      move(row, item.top, n + 2);
      row.update(item);
      if (row.draw) drawn.push(row);
    }
    for (const [key, row] of this.pool) {
      if (!kept.has(key)) {
        if (row.element.contains(document.activeElement)) continue;
        row.element.remove();
        this.pool.delete(key);
      }
    }
    const focusable = this.pool.get(this.focus) ?? this.pool.values().next().value;
    for (const row of this.pool.values()) {
      const index = row === focusable ? 0 : -1;
      if (row.element.tabIndex !== index) row.element.tabIndex = index;
    }
    this.draw(drawn);
  }

  /** Sparklines last, and their size asked for once: asked between two changes it would lay out the page each time. */
  draw(rows) {
    if (!rows.length) return;
    const sizes = rows[0].sizes();
    const inks = { score: colour("--score"), level: colour("--level"), line: colour("--line") };
    for (const row of rows) row.draw(sizes, inks);
  }

  /** Arrow keys go from row to row. */
  walk(event) {
    const page = Math.max(1, Math.floor(this.rows.clientHeight / 60));
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const nodes = this.items.filter((item) => item.node);
    const here = nodes.findIndex((item) => item.key === document.activeElement?.dataset.key);
    const next = nodes[Math.min(nodes.length - 1, Math.max(0, here + steps[event.key]))];
    if (!next) return;
    this.focus = next.key;
    if (next.top < this.rows.scrollTop) this.rows.scrollTop = next.top;
    else if (next.top + next.height > this.rows.scrollTop + this.rows.clientHeight) {
      this.rows.scrollTop = next.top + next.height - this.rows.clientHeight;
    }
    this.paint();
    this.pool.get(next.key)?.element.focus({ preventScroll: true });
  }

  shortcut(event) {
    const typing = /INPUT|TEXTAREA|SELECT/.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !typing) { event.preventDefault(); this.box.focus(); }
    if (event.key === "Escape" && document.activeElement === this.box) { this.box.value = ""; this.seek(); }
  }
}

function text(node) {
  return `${node.site} ${node.node} ${word(shown(node))} ${node.faults.join(" ")} ${node.model ?? ""}`.toLowerCase();
}

/** Rows with their places; by site, the site with the worst news first. */
function place(nodes, grouped, height) {
  const items = [];
  let top = 0;
  const push = (item, tall) => { items.push({ ...item, top, height: tall }); top += tall; };
  const row = (node) => push({ key: `${node.site}/${node.node}`, node }, height);
  if (!grouped) { nodes.forEach(row); return items; }
  const sites = new Map();
  for (const node of nodes) sites.set(node.site, [...(sites.get(node.site) ?? []), node]);
  const worst = (members) => Math.min(...members.map(rank));
  for (const [site, members] of [...sites].sort((a, b) => worst(a[1]) - worst(b[1]) || collator.compare(a[0], b[0]))) {
    push({ key: `site ${site}`, site, members }, SITE_HEIGHT);
    members.forEach(row);
  }
  return items;
}

function move(row, top, index) {
  if (row.top === top && row.index === index) return;
  Object.assign(row, { top, index });
  row.element.style.transform = `translateY(${top}px)`;
  row.element.setAttribute("aria-rowindex", String(index));
}

function first(items, top) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].top + items[middle].height < top) low = middle + 1;
    else high = middle;
  }
  return low;
}
