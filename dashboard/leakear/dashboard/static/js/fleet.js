// The fleet: tiles to count and filter, a search, and a list that holds only the rows in view.
import { h, say } from "./dom.js";
import { number, t } from "./i18n.js";
import { fleet, on, size, unknown } from "./store.js";
import { GROUPS, look, shape, word } from "./states.js";
import { colour } from "../charts/canvas.js";
import { Asking, SORTS, whole } from "../fleet/lists.js";
import { nodeRow, siteRow } from "./rows.js";

const NARROW = window.matchMedia("(max-width: 860px)");
const COLUMNS = ["state", "node", "score", "level", "seen", "faults", "model"];
/** The node whose row was opened last, and where the list stood: the focus returns to it. */
let left = null;
let leftTop = 0;

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
    this.items = null;
    this.asking = new Asking();
    this.pool = new Map();
    this.focus = left;
    this.returning = left !== null;
    this.build();
    this.ends = [
      on("fleet", () => this.arrange()),
      on("diff", ({ heads }) => (heads || (!fleet.part && this.sort !== "urgency") ? this.arrange() : this.paint())),
    ];
    this.clock = setInterval(() => this.paint(), 1000);
    this.keys = (event) => this.shortcut(event);
    this.narrow = () => this.arrange();
    document.addEventListener("keydown", this.keys);
    NARROW.addEventListener("change", this.narrow);
    new ResizeObserver(() => this.paint()).observe(this.rows);
    this.ends.push(on("line", () => this.arrange()));
    queueMicrotask(() => this.arrange());
  }

  close() {
    [left, leftTop] = [this.focus, this.rows.scrollTop];
    this.asking.close();
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
    const what = { search: this.search, filter: this.filter, sort: this.sort, grouped: this.grouped };
    const height = NARROW.matches ? 88 : 48;
    const items = fleet.part ? this.asking.list(what, height) : whole(what, height);
    if (!items) return;
    this.items = items;
    const { counts, found } = items;
    for (const [key, tile] of this.tiles) {
      say(tile.figure, number(counts[key]));
      tile.element.dataset.some = String(counts[key] > 0);
      tile.element.setAttribute("aria-pressed", String(this.filter === key));
    }
    this.all.style.height = `${items.height}px`;
    this.list.setAttribute("aria-rowcount", String(found + 1));
    say(this.shown, t("shown", { shown: number(found), all: number(size()) }));
    this.nothing.hidden = found > 0;
    const blind = size() ? null : unknown();
    say(this.nothing.children[1], blind ?? t(size() ? "nothing.found" : "nothing.yet"));
    say(this.nothing.children[2], size() || blind ? "" : t("nothing.hint"));
    if (this.returning && found) this.comeBack();
    this.paint();
  }

  paint() {
    if (!this.items) return;
    const top = this.rows.scrollTop - 100;
    const bottom = this.rows.scrollTop + this.rows.clientHeight + 100;
    const drawn = [];
    const kept = new Set();
    const begin = first(this.items, top);
    let n = begin;
    for (; n < this.items.length && this.items.place(n)[0] < bottom; n++) {
      const item = this.items.at(n);
      if (!item) continue;
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
    this.items.show(begin, n);
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
    if (this.returning && this.pool.has(this.focus) && document.activeElement?.id === "main") {
      this.returning = false;
      this.pool.get(this.focus).element.focus({ preventScroll: true });
    }
    if (this.awaited) this.step(this.awaited);
  }

  /** Bring the row that was opened last into view, so that Back returns to it. */
  comeBack() {
    const here = this.items.number(this.focus);
    if (here < 0) {
      if (leftTop) this.rows.scrollTop = leftTop;
      leftTop = 0;
      return;
    }
    this.rows.scrollTop = Math.max(0, this.items.place(this.items.row(here))[0] - this.rows.clientHeight / 2);
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
    const here = this.items?.number(/** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key ?? "") ?? -1;
    if (this.items?.found) this.step({ number: Math.min(this.items.found - 1, Math.max(0, here + steps[event.key])), from: document.activeElement });
  }

  /** Go to a row; to one that is still to come, when it has come and nobody has gone elsewhere meanwhile. */
  step(wanted) {
    this.awaited = null;
    if (document.activeElement !== wanted.from || wanted.number >= this.items.found) return;
    const n = this.items.row(wanted.number);
    const [top, height] = this.items.place(n);
    const item = this.items.at(n);
    if (item) this.focus = item.key;
    if (top < this.rows.scrollTop) this.rows.scrollTop = top;
    else if (top + height > this.rows.scrollTop + this.rows.clientHeight) this.rows.scrollTop = top + height - this.rows.clientHeight;
    this.paint();
    if (item) this.pool.get(item.key)?.element.focus({ preventScroll: true });
    else this.awaited = wanted;
  }

  shortcut(event) {
    const typing = /INPUT|TEXTAREA|SELECT/.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !typing) { event.preventDefault(); this.box.focus(); }
    if (event.key === "Escape" && document.activeElement === this.box) { this.box.value = ""; this.seek(); }
  }
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
    const [at, height] = items.place(middle);
    if (at + height < top) low = middle + 1;
    else high = middle;
  }
  return low;
}
