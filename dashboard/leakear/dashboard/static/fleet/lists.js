// The rows of the fleet's list and where they lie: of nodes that are all here, or of a part that the server has sent.
import { group, rank, GROUPS, shown, word } from "../js/states.js";
import { fleet, look } from "../js/store.js";

const SITE_HEIGHT = 36;
/** Rows that are asked for at once, and how many of them lie before those in view. */
const ROWS = 160;
const BEFORE = 50;
/** Milliseconds between two questions. */
const PAUSE_MS = 150;
/** All words for a node, as `views/groups.py` has them. */
const NAMES = ["LEAK", "SENSOR_FAULT", "WARNING", "NOISY", "OK", "UNKNOWN", "stale", "offline", "asleep", "judged"];
const collator = new Intl.Collator(undefined, { numeric: true });

/**
 * @typedef {import("../js/store.js").FleetNode} FleetNode
 * @typedef {{ key: string, top: number, height: number, node?: FleetNode, site?: string, counts?: number[] }} Item a row, or the head of a site
 * @typedef {{ search: string, filter: string | null, sort: string, grouped: boolean }} What which nodes, in which order
 * @typedef {{
 *   found: number, length: number, height: number, counts: Record<string, number>, at: (n: number) => Item | null, place: (n: number) => [number, number],
 *   number: (key: string) => number, row: (number: number) => number, show: (first: number, end: number) => void,
 * }} List `at`: null for a row that is still to come; `place`: top and height of a row in pixels; `number`: of a node among those
 *   found, −1 for none; `row`: of that number; `show`: these rows are in view
 */

/** @type {Record<string, (a: FleetNode, b: FleetNode) => number>} */
export const SORTS = {
  urgency: (a, b) => rank(a) - rank(b) || byName(a, b),
  name: (a, b) => byName(a, b),
  score: (a, b) => (b.score ?? -1) - (a.score ?? -1) || byName(a, b),
  level: (a, b) => (b.level ?? -999) - (a.level ?? -999) || byName(a, b),
  seen: (a, b) => (a.seen ?? 0) - (b.seen ?? 0) || byName(a, b),
};

/** @param {FleetNode} a @param {FleetNode} b */
function byName(a, b) {
  return collator.compare(a.site, b.site) || collator.compare(a.node, b.node);
}

/** @param {string} search */
function wordsOf(search) {
  return search.toLowerCase().split(/\s+/).filter(Boolean);
}

/** @param {FleetNode} node */
function text(node) {
  return `${node.site} ${node.node} ${word(shown(node))} ${node.faults.join(" ")} ${node.model ?? ""}`.toLowerCase();
}

/** @param {FleetNode} node */
function keyOf(node) {
  return `${node.site}/${node.node}`;
}

/** All nodes are here: they are searched and sorted here. @param {What} what @param {number} height of a row @returns {List} */
export function whole({ search, filter, sort, grouped }, height) {
  const words = wordsOf(search);
  const counts = Object.fromEntries(GROUPS.map((key) => [key, 0]));
  /** @type {FleetNode[]} */
  const nodes = [];
  for (const node of fleet.nodes.values()) {
    const mine = group(node);
    counts[mine] += 1;
    if ((!filter || filter === mine) && words.every((w) => text(node).includes(w))) nodes.push(node);
  }
  nodes.sort(SORTS[sort] ?? SORTS.urgency);
  const items = place(nodes, grouped, height);
  const rows = items.flatMap((item, n) => (item.node ? [n] : []));
  return {
    found: nodes.length, length: items.length, height: items.length ? items[items.length - 1].top + items[items.length - 1].height : 0, counts,
    at: (n) => items[n], place: (n) => [items[n].top, items[n].height],
    number: (key) => rows.findIndex((n) => items[n].key === key), row: (number) => rows[number], show: () => {},
  };
}

/** Rows with their places; by site, the site with the worst news first. @param {FleetNode[]} nodes @param {boolean} grouped @param {number} height */
function place(nodes, grouped, height) {
  /** @type {Item[]} */
  const items = [];
  let top = 0;
  const push = (/** @type {any} */ item, /** @type {number} */ tall) => { items.push({ ...item, top, height: tall }); top += tall; };
  const row = (/** @type {FleetNode} */ node) => push({ key: keyOf(node), node }, height);
  if (!grouped) { nodes.forEach(row); return items; }
  /** @type {Map<string, FleetNode[]>} */
  const sites = new Map();
  for (const node of nodes) {
    const members = sites.get(node.site);
    if (members) members.push(node); else sites.set(node.site, [node]);
  }
  const worst = (/** @type {FleetNode[]} */ members) => Math.min(...members.map(rank));
  for (const [site, members] of [...sites].sort((a, b) => worst(a[1]) - worst(b[1]) || collator.compare(a[0], b[0]))) {
    push({ key: `site ${site}`, site, counts: GROUPS.map((key) => members.filter((node) => group(node) === key).length) }, SITE_HEIGHT);
    members.forEach(row);
  }
  return items;
}

/** Asks the server for parts of a list, not too often. */
export class Asking {
  constructor() {
    this.turn = 0;
    this.asked = "";
    this.last = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.later = undefined;
  }

  /** The newest part that has come; null before the first. @param {What} what @param {number} height @returns {List | null} */
  list(what, height) {
    if (what.search + what.filter + what.sort + what.grouped !== this.of) {
      this.of = what.search + what.filter + what.sort + what.grouped;
      this.what = what;
      this.ask(0);
    }
    const { part, sites } = fleet;
    return part?.rows ? sent(part, what.grouped ? sites : [], height, (first) => this.ask(first)) : null;
  }

  /** @param {number} first number of the first node in view */
  ask(first) {
    const offset = Math.max(0, Math.floor(first / BEFORE) * BEFORE - BEFORE);
    const { search, filter, sort, grouped } = /** @type {What} */ (this.what);
    const words = wordsOf(search).slice(0, 8).map((w) => [w.slice(0, 100), NAMES.filter((name) => word(name).toLowerCase().includes(w))]);
    const view = { words, group: filter, sort, grouped, offset, limit: ROWS };
    const stamp = JSON.stringify(view);
    if (stamp === this.asked) return;
    this.asked = stamp;
    clearTimeout(this.later);
    const send = () => { this.last = performance.now(); look({ ...view, turn: ++this.turn }); };
    const wait = this.last + PAUSE_MS - performance.now();
    if (wait > 0) this.later = setTimeout(send, wait); else send();
  }

  close() {
    clearTimeout(this.later);
  }
}

/**
 * @param {import("../js/store.js").Part} part
 * @param {import("../js/store.js").SiteHead[]} sites
 * @param {number} height
 * @param {(first: number) => void} ask
 * @returns {List}
 */
function sent({ offset = 0, found = 0, rows = [], counts }, sites, height, ask) {
  const numbers = new Map(rows.map((i, n) => [i, offset + n]));
  /** How many heads of sites lie up to a row, its own included. @param {number} n @param {(k: number) => number} start */
  const heads = (n, start) => {
    let [low, high] = [0, sites.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (start(middle) <= n) low = middle + 1; else high = middle;
    }
    return low;
  };
  const upTo = (/** @type {number} */ n) => heads(n, (k) => sites[k][1] + k);
  const isHead = (/** @type {number} */ n, /** @type {number} */ k) => k > 0 && sites[k - 1][1] + k - 1 === n;
  const place = (/** @type {number} */ n) => {
    const k = upTo(n);
    return /** @type {[number, number]} */ (isHead(n, k) ? [(k - 1) * SITE_HEIGHT + sites[k - 1][1] * height, SITE_HEIGHT] : [k * SITE_HEIGHT + (n - k) * height, height]);
  };
  return {
    found, length: found + sites.length, height: found * height + sites.length * SITE_HEIGHT, counts, place,
    at: (n) => {
      const [k, [top, tall]] = [upTo(n), place(n)];
      if (isHead(n, k)) return { key: `site ${sites[k - 1][0]}`, site: sites[k - 1][0], counts: sites[k - 1][2], top, height: tall };
      const node = fleet.nodes.get(rows[n - k - offset]);
      return node ? { key: keyOf(node), node, top, height: tall } : null;
    },
    number: (key) => numbers.get(fleet.byKey.get(key)?.i ?? -1) ?? -1,
    row: (number) => number + heads(number, (k) => sites[k][1]),
    show: (first, end) => {
      const [a, b] = [first - upTo(first), Math.min(end - upTo(end), found)];
      if (a < offset || b > offset + rows.length) ask(Math.max(0, a));
    },
  };
}
