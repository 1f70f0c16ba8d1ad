// Nodes on the map: one mark for each, or for a cluster of them, with the shape of its worst state. Only what is in view exists.
import { get, h } from "../js/dom.js";
import { number, t } from "../js/i18n.js";
import { fleet, follow } from "../js/store.js";
import { look, rank, shape, shown, word } from "../js/states.js";

/**
 * @typedef {{ site: string, node: string, latitude: number, longitude: number, accuracy: number | null, source: string, changed: number, changed_by: string }} Placed
 * @typedef {{ key: string, name: string, rank: number }} About the worst of a cluster, or a node itself
 */

/** Pixels within which nodes become one mark, on tiles of `TILE` pixels. */
const RADIUS = 72;
const TILE = 256;
const LAST_CLUSTERED = 17;
const SIZE = 26;
/** Milliseconds between two questions for what changed in a city. */
const FAR_MS = 3000;
/** What the server called nodes that the page does not know: "site/node" → word. @type {Map<string, string>} */
const said = new Map();

/** @param {string} key "site/node" */
export function nameOf(key) {
  const node = fleet.byKey.get(key);
  return node ? shown(node) : said.get(key) ?? "UNKNOWN";
}

/**
 * @param {string} key
 * @returns {About}
 */
function about(key) {
  const node = fleet.byKey.get(key);
  return { key, name: nameOf(key), rank: node ? rank(node) : 2 };
}

/** The node of a mark, "site/node"; undefined for a cluster. @param {import("leaflet").Marker | undefined} mark */
function nodeOf(mark) {
  return mark?.getElement()?.dataset.node;
}

export class NodeLayer {
  /**
   * @param {import("./library.js").Libraries} libraries
   * @param {import("leaflet").Map} map
   * @param {(key: string) => HTMLElement} describe what a node's popup holds
   */
  constructor({ L, Supercluster }, map, describe) {
    this.L = L;
    this.Supercluster = Supercluster;
    this.map = map;
    this.describe = describe;
    /** @type {Map<string, Placed>} */
    this.placed = new Map();
    /** @type {Set<string>} */
    this.withCase = new Set();
    /** @type {Map<string, import("leaflet").Marker>} */
    this.marks = new Map();
    this.group = L.layerGroup().addTo(map);
    /** @type {string | null} */
    this.stamp = null;
    /** Whether the server makes the clusters. */
    this.far = false;
    this.turn = this.asked = 0;
    map.on("moveend", () => this.draw());
  }

  /**
   * @param {Placed[] | null} rows null: there are so many that the server makes the clusters
   * @param {Set<string>} withCase keys of nodes that have an open case
   */
  show(rows, withCase) {
    this.far = !rows;
    this.asked = 0;
    if (rows) this.placed = new Map(rows.map((row) => [`${row.site}/${row.node}`, row]));
    this.withCase = withCase;
    this.stamp = null;
    this.refresh();
  }

  /** Index anew where a state changed; a cluster shows its worst one. */
  refresh() {
    if (this.far) { if (performance.now() - this.asked > FAR_MS) this.draw(); return; }
    const all = [...this.placed.keys()].map(about);
    const stamp = all.map((one) => one.name[0] + one.rank).join("");
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    /** @type {import("supercluster")<About, About>} */
    const index = new this.Supercluster({
      radius: RADIUS, extent: TILE, maxZoom: LAST_CLUSTERED,
      map: (one) => one, reduce: (worst, one) => { if (one.rank < worst.rank) Object.assign(worst, one); },
    });
    index.load(all.map((one) => {
      const { longitude, latitude } = /** @type {Placed} */ (this.placed.get(one.key));
      return { type: "Feature", geometry: { type: "Point", coordinates: [longitude, latitude] }, properties: one };
    }));
    this.index = index;
    this.draw();
  }

  /** Marks for what is in view. One that looks as before stays; one that changed keeps its popup and its focus. */
  draw() {
    const box = this.map.getBounds().pad(0.15);
    if (this.far) this.fetch(box).catch(() => {});
    else if (this.index) this.put(this.index.getClusters([box.getWest(), box.getSouth(), box.getEast(), box.getNorth()], Math.floor(this.map.getZoom())));
  }

  /** Let the server make the clusters. @param {import("leaflet").LatLngBounds} box */
  async fetch(box) {
    const turn = ++this.turn;
    this.asked = performance.now();
    const where = { west: box.getWest(), south: box.getSouth(), east: box.getEast(), north: box.getNorth(), zoom: Math.floor(this.map.getZoom()) };
    const { marks } = await get(`/api/map/clusters?${new URLSearchParams(/** @type {any} */ (where))}`);
    if (turn !== this.turn) return;
    const single = marks.filter((/** @type {any} */ mark) => mark.placed);
    this.placed = new Map(single.map((/** @type {any} */ mark) => [mark.key, mark.placed]));
    said.clear();
    for (const mark of single) said.set(mark.key, mark.name);
    this.put(marks.map((/** @type {any} */ { id, count, longitude, latitude, ...one }) => ({
      id, geometry: { coordinates: [longitude, latitude] }, properties: count > 1 ? { ...one, cluster: true, point_count: count, cluster_id: id } : one,
    })));
  }

  /** @param {any[]} found */
  put(found) {
    const wanted = new Map(found.map((feature) => [this.signature(feature), feature]));
    const gone = [...this.marks].filter(([key]) => !wanted.has(key)).map(([, mark]) => mark);
    const open = nodeOf(gone.find((mark) => mark.isPopupOpen()));
    const focused = nodeOf(gone.find((mark) => mark.getElement() === document.activeElement));
    for (const mark of gone) mark.remove();
    this.marks = new Map([...wanted].map(([key, feature]) => [key, this.marks.get(key) ?? this.mark(feature)]));
    if (focused) this.markOf(focused)?.getElement()?.focus();
    if (open) this.markOf(open)?.openPopup();
  }

  /** All that a mark shows. @param {any} feature */
  signature({ id, geometry, properties: one }) {
    const what = one.cluster ? ["cluster", id, one.point_count] : [one.key, this.withCase.has(one.key)];
    return [...what, one.name, ...geometry.coordinates].join(" ");
  }

  /** @param {string} key */
  markOf(key) {
    return [...this.marks.values()].find((mark) => nodeOf(mark) === key);
  }

  /** @param {any} feature */
  mark({ geometry, properties }) {
    const [longitude, latitude] = geometry.coordinates;
    const { cluster, key, name, point_count: count, cluster_id: id } = properties;
    const size = cluster ? SIZE + 6 * Math.min(4, Math.log10(count) * 1.5) : SIZE;
    const words = cluster ? t("map.cluster", { count: number(count), state: word(name) }) : `${key}, ${word(name)}`;
    const html = cluster ? h("span", null, shape(name), number(count)) : shape(name);
    const icon = this.L.divIcon({ html, className: cluster ? "cluster" : "at-node", iconSize: cluster ? [size + 18, size] : [size, size] });
    const mark = this.L.marker([latitude, longitude], { icon, title: words, keyboard: true, riseOnHover: true, zIndexOffset: cluster ? 0 : 500 - 80 * properties.rank });
    const closer = () => this.map.setView([latitude, longitude], Math.min(this.far ? Math.floor(this.map.getZoom()) + 2 : this.index?.getClusterExpansionZoom(id) ?? 18, 18));
    if (cluster) {
      mark.on("click", closer);
      mark.on("keypress", (event) => { if (/** @type {any} */ (event).originalEvent.key === "Enter") closer(); });
    } else mark.bindPopup(() => { follow([/** @type {[string, string]} */ (key.split("/"))]); return this.describe(key); }, { minWidth: 220 });
    mark.addTo(this.group);
    const element = /** @type {HTMLElement} */ (mark.getElement());
    Object.assign(element.dataset, { look: look(name), ...(cluster ? { count } : { node: key, case: this.withCase.has(key) ? "yes" : "" }) });
    element.setAttribute("aria-label", words);
    return mark;
  }

  /** @param {string} key */
  open(key) {
    const one = this.placed.get(key);
    if (!one) return;
    this.map.setView([one.latitude, one.longitude], Math.max(this.map.getZoom(), LAST_CLUSTERED + 1), { animate: false });
    this.draw();
    this.markOf(key)?.openPopup();
  }
}
