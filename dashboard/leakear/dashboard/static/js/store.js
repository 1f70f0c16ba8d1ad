// The fleet as the page knows it: a snapshot at every connection, then only what changed. Of a large fleet the server sends
// counts, and the nodes that the page asks for: the part of the list in view, the node whose page it is, and others by name.

import { address } from "./dom.js";
import { t } from "./i18n.js";

const SPARK = 60;
/**
 * A node as the page knows it: its head (`hub.py` says which fields), its newest figures and its sparklines.
 * @typedef {{
 *   i: number, site: string, node: string, state: string, presence: string, slot: number, seen: number | null, score: number | null,
 *   level: number | null, floor: number | null, scores: (number | null)[], levels: (number | null)[], faults: string[], [more: string]: any,
 * }} FleetNode
 * @typedef {{ turn?: number, offset?: number, found?: number, rows?: number[], total: number, counts: Record<string, number> }} Part
 * `rows`: numbers of the nodes from `offset` on, of the `found` that match; `total` and `counts` are of the whole fleet
 * @typedef {[name: string, start: number, counts: number[]]} SiteHead
 * @typedef {{ nodes: Map<number, FleetNode>, byKey: Map<string, FleetNode>, line: any, now: number, slot: number, live: boolean, order: number,
 *   part: Part | null, sites: SiteHead[] }} Fleet
 * `part`: null where the page has all nodes
 */

/** @type {Fleet} */
export const fleet = { nodes: new Map(), byKey: new Map(), line: {}, now: Date.now() / 1000, slot: 10, live: false, order: 0, part: null, sites: [] };
export const me = { name: "", role: "view", get operates() { return this.role === "operate"; } };
/** @type {Map<string, Set<(data: any) => void>>} */
const listeners = new Map();
/** @type {WebSocket | null} */
let socket = null;
/** @type {{ watch: [string, string] | null, spectrum: boolean, view: object | null, also: [string, string][] }} */
const wish = { watch: null, spectrum: false, view: null, also: [] };
let pause = 500;
let skew = 0;

/**
 * on("diff", function) → a function that ends it.
 * @param {string} name
 * @param {(data: any) => void} listener
 */
export function on(name, listener) {
  const all = listeners.get(name) ?? new Set();
  listeners.set(name, all.add(listener));
  return () => all.delete(listener);
}

/**
 * @param {string} name
 * @param {any} [data]
 */
function emit(name, data) {
  for (const listener of listeners.get(name) ?? []) listener(data);
}

/** The server's time in POSIX seconds: a control room's own clock may be wrong. */
export function now() {
  return Date.now() / 1000 + skew;
}

/** Why nobody can say that all is quiet, in one sentence; null: what the page shows is all there is. */
export function unknown() {
  if (!fleet.live) return t("unknown.page");
  if (!fleet.line.connected) return t("unknown.broker");
  return fleet.line.heard === false ? t("unknown.nothing") : null;
}

/**
 * @param {string} site
 * @param {string} name
 */
export function nodeOf(site, name) {
  return fleet.byKey.get(`${site}/${name}`);
}

/**
 * Say which node this page shows, so that the server sends its details.
 * @param {[string, string] | null} key
 */
export function watch(key, spectrum = false) {
  tell({ watch: key, spectrum });
}

/**
 * Say which part of a large fleet's list this page shows (`views/view.py` says what may be asked).
 * @param {object | null} view
 */
export function look(view) {
  if (view || wish.view) tell({ view });
}

/**
 * Say which further nodes this page shows, as [site, node].
 * @param {[string, string][]} keys
 */
export function follow(keys) {
  if (JSON.stringify(keys) !== JSON.stringify(wish.also)) tell({ also: keys });
}

/** @param {Partial<typeof wish>} changes */
function tell(changes) {
  Object.assign(wish, changes);
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wish));
}

/** How many nodes there are, whether or not this page has them all. */
export function size() {
  return fleet.part ? fleet.part.total : fleet.nodes.size;
}

export function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${address("/live")}`);
  socket.onopen = () => { pause = 500; tell({}); };
  socket.onmessage = (message) => take(JSON.parse(message.data));
  socket.onclose = (event) => {
    fleet.live = false;
    emit("line");
    if (event.code === 4401) { emit("stranger"); return; }
    setTimeout(connect, pause * (0.7 + Math.random() * 0.6));
    pause = Math.min(pause * 2, 10000);
  };
}

/** @param {any} message */
function take(message) {
  if (message.now) { fleet.now = message.now; skew = message.now - Date.now() / 1000; }
  if (message.t === "fleet") whole(message);
  else if (message.t === "diff") part(message);
  else emit(message.t, message);
}

/** @param {any} message */
function whole(message) {
  fleet.nodes.clear();
  fleet.byKey.clear();
  fleet.slot = message.slot;
  fleet.part = message.part ?? null;
  fleet.sites = message.sites ?? [];
  for (const head of [...message.nodes, ...message.heads ?? []]) place(head);
  fleet.line = message.line;
  fleet.live = true;
  fleet.order += 1;
  emit("fleet");
  emit("line");
}

/** @param {any} message */
function part(message) {
  for (const head of message.heads ?? []) place(head);
  for (const index of message.gone ?? []) drop(index);
  const changed = new Set();
  for (const values of message.live) {
    const node = fleet.nodes.get(values[0]);
    if (!node) continue;
    breathe(node, values);
    mark(node);
    changed.add(node);
  }
  if (message.sites) fleet.sites = message.sites;
  if (message.part) fleet.part = message.part;
  const heads = Boolean(message.heads || message.gone || message.part || message.sites);
  if (heads) fleet.order += 1;
  if (message.line) { fleet.line = message.line; emit("line"); }
  emit("diff", { changed, heads });
}

/** Take over a node's head, or all of a node that is new here. @param {any} head */
function place(head) {
  let node = fleet.nodes.get(head.i);
  if (!node) {
    node = /** @type {FleetNode} */ (/** @type {unknown} */ ({ scores: Array(SPARK).fill(null), levels: Array(SPARK).fill(null), slot: Math.floor(fleet.now / fleet.slot) }));
    fleet.nodes.set(head.i, node);
    fleet.byKey.set(`${head.site}/${head.node}`, node);
  }
  const { live, ...rest } = head;
  Object.assign(node, rest);
  if (live) {
    node.slot = Math.floor(fleet.now / fleet.slot);
    breathe(node, live);
  }
}

/** @param {number} index */
function drop(index) {
  const node = fleet.nodes.get(index);
  if (!node) return;
  fleet.nodes.delete(index);
  fleet.byKey.delete(`${node.site}/${node.node}`);
}

/**
 * @param {FleetNode} node
 * @param {any[]} figures
 */
function breathe(node, [, seen, score, level, floor, queue, end]) {
  Object.assign(node, { seen, score, level, floor, queue, end });
}

/**
 * Move a node's sparkline on to the present slot.
 * @param {FleetNode} node
 */
function mark(node) {
  const slot = Math.floor(fleet.now / fleet.slot);
  for (let n = Math.min(slot - node.slot, SPARK); n > 0; n--) {
    for (const values of [node.scores, node.levels]) { values.shift(); values.push(null); }
  }
  node.slot = Math.max(slot, node.slot);
  const last = SPARK - 1;
  if (node.score !== null) node.scores[last] = Math.max(node.score, node.scores[last] ?? 0);
  if (node.level !== null) node.levels[last] = node.level;
}
