// The fleet as the page knows it: a snapshot at every connection, then only what changed.

const SPARK = 60;
export const fleet = { nodes: new Map(), byKey: new Map(), line: {}, now: Date.now() / 1000, slot: 10, live: false, order: 0 };
export const me = { name: "", role: "view", get operates() { return this.role === "operate"; } };
const listeners = new Map();
let socket = null;
let wish = { watch: null, spectrum: false };
let pause = 500;
let skew = 0;

/** on("diff", function) → a function that ends it. */
export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(listener);
  return () => listeners.get(name).delete(listener);
}

function emit(name, data) {
  for (const listener of listeners.get(name) ?? []) listener(data);
}

/** The server's time in POSIX seconds: a control room's own clock may be wrong. */
export function now() {
  return Date.now() / 1000 + skew;
}

export function nodeOf(site, name) {
  return fleet.byKey.get(`${site}/${name}`);
}

/** Say which node this page shows, so that the server sends its details. */
export function watch(key, spectrum = false) {
  wish = { watch: key, spectrum };
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wish));
}

export function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.onopen = () => { pause = 500; watch(wish.watch, wish.spectrum); };
  socket.onmessage = (message) => take(JSON.parse(message.data));
  socket.onclose = (event) => {
    fleet.live = false;
    emit("line");
    if (event.code === 4401) { emit("stranger"); return; }
    setTimeout(connect, pause * (0.7 + Math.random() * 0.6));
    pause = Math.min(pause * 2, 10000);
  };
}

function take(message) {
  if (message.now) { fleet.now = message.now; skew = message.now - Date.now() / 1000; }
  if (message.t === "fleet") whole(message);
  else if (message.t === "diff") part(message);
  else emit(message.t, message);
}

function whole(message) {
  fleet.nodes.clear();
  fleet.byKey.clear();
  fleet.slot = message.slot;
  for (const head of message.nodes) {
    const node = place(head);
    node.scores = head.scores;
    node.levels = head.levels;
    node.slot = Math.floor(message.now / fleet.slot);
    breathe(node, head.live);
  }
  fleet.line = message.line;
  fleet.live = true;
  fleet.order += 1;
  emit("fleet");
  emit("line");
}

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
  if (message.heads || message.gone) fleet.order += 1;
  if (message.line) { fleet.line = message.line; emit("line"); }
  emit("diff", { changed, heads: Boolean(message.heads || message.gone) });
}

function place(head) {
  let node = fleet.nodes.get(head.i);
  if (!node) {
    node = { scores: Array(SPARK).fill(null), levels: Array(SPARK).fill(null), slot: Math.floor(fleet.now / fleet.slot) };
    fleet.nodes.set(head.i, node);
    fleet.byKey.set(`${head.site}/${head.node}`, node);
  }
  const { live, scores, levels, ...rest } = head;
  Object.assign(node, rest);
  return node;
}

function drop(index) {
  const node = fleet.nodes.get(index);
  if (!node) return;
  fleet.nodes.delete(index);
  fleet.byKey.delete(`${node.site}/${node.node}`);
}

function breathe(node, [, seen, score, level, floor, queue, end]) {
  Object.assign(node, { seen, score, level, floor, queue, end });
}

/** Move a node's sparkline on to the present slot. */
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
