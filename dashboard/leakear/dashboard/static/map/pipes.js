// Pipes on the map, on one canvas: the network by material, what nobody hears, stretches between nodes, located leaks.
import { colour } from "../charts/canvas.js";
import { h } from "../js/dom.js";
import { local, number, t } from "../js/i18n.js";
import { shape } from "../js/states.js";

/**
 * @typedef {[longitude: number, latitude: number]} Point
 * @typedef {{ location: string, heard: number, position_m: number, interval_95_m: [number, number], place: Point, line: Point[] }} Leak
 * @typedef {{ id: string, a: string, b: string, length: number, material: string, line: Point[], routed: boolean, leak: Leak | null }} Stretch
 * @typedef {[name: string, material: string, said: string, diameter: number | null, length: number, line: Point[]]} NetworkPipe
 * @typedef {import("leaflet").LatLngTuple} LatLng
 */

/** Ink of each material: metal, cement, plastic and unknown also differ by their dashes.
 * @type {Record<string, [ink: string, dashes?: string]>} */
export const INKS = {
  steel: ["--level"], iron: ["--level"], copper: ["--level"], cement: ["--ok-edge", "8 3"], pvc: ["--score", "2 4"], pe: ["--score", "2 4"], unknown: ["--dim", "1 5"],
};

/** @param {Point[]} line @returns {LatLng[]} */
function turned(line) {
  return line.map(([longitude, latitude]) => [latitude, longitude]);
}

export class PipeLayer {
  /**
   * @param {import("./library.js").Leaflet} L
   * @param {import("leaflet").Map} map
   * @param {(path: string) => void} go
   */
  constructor(L, map, go) {
    this.L = L;
    this.go = go;
    this.canvas = L.canvas({ padding: 0.4, tolerance: 5 });
    const group = () => L.layerGroup().addTo(map);
    this.unheard = group();
    this.network = group();
    this.stretches = group();
    this.leaks = group();
  }

  /** @param {NetworkPipe[]} pipes */
  showNetwork(pipes) {
    const inks = Object.fromEntries(Object.entries(INKS).map(([name, [ink, dashes]]) => [name, { color: colour(ink), dashArray: dashes }]));
    this.network.clearLayers();
    for (const pipe of pipes) {
      const line = this.line(pipe[5], { weight: 2.5, ...inks[pipe[1] || "unknown"] });
      line.bindTooltip(() => described(pipe), { sticky: true });
      this.network.addLayer(line);
    }
  }

  /** @param {Point[][]} lines */
  showUnheard(lines) {
    this.unheard.clearLayers();
    const style = { weight: 9, color: colour("--warning-edge"), opacity: 0.45, interactive: false, lineCap: /** @type {const} */ ("butt") };
    this.unheard.addLayer(this.L.polyline(lines.map(turned), { renderer: this.canvas, ...style }));
  }

  /** @param {Stretch[]} stretches */
  showStretches(stretches) {
    this.stretches.clearLayers();
    this.leaks.clearLayers();
    for (const one of stretches) {
      const line = this.line(one.line, { weight: 4, color: colour("--accent"), opacity: 0.55, dashArray: one.routed ? undefined : "10 6" });
      line.bindTooltip(() => `${one.a} – ${one.b}, ${number(one.length)} m`, { sticky: true });
      line.on("click", () => this.go(`/pipes/${one.id}`));
      this.stretches.addLayer(line);
      if (one.leak) this.showLeak(one, one.leak);
    }
  }

  /** A located leak: its 95 % interval on the pipe, and a mark with its most likely place.
   * @param {Stretch} stretch @param {Leak} leak */
  showLeak(stretch, leak) {
    const { L } = this;
    this.leaks.addLayer(this.line(leak.line, { weight: 11, color: colour("--leak-edge"), opacity: 0.8, interactive: false }));
    const words = t("map.leak", {
      metres: number(leak.position_m, 1), node: stretch.a.split("/")[1], low: number(leak.interval_95_m[0], 1), high: number(leak.interval_95_m[1], 1),
    });
    const path = `/pipes/${stretch.id}`;
    const icon = L.divIcon({ html: shape("LEAK"), className: "at-leak", iconSize: [30, 30] });
    const [longitude, latitude] = leak.place;
    const mark = L.marker([latitude, longitude], { icon, title: words, zIndexOffset: 900 });
    mark.bindPopup(() => h("div.map-popup", null, h("strong", null, words), h("div.dim", null, t("map.leak.heard", { when: local(leak.heard) })),
      stretch.routed ? null : h("div.dim", null, t("map.straight")),
      h("a.button", { href: path, onclick: (/** @type {Event} */ e) => { e.preventDefault(); this.go(path); } }, t("map.result"))));
    this.leaks.addLayer(mark);
    const element = /** @type {HTMLElement} */ (mark.getElement());
    Object.assign(element.dataset, { look: "leak", leak: stretch.id, points: String(leak.line.length) });
    element.setAttribute("aria-label", words);
  }

  /** @param {Point[]} points @param {import("leaflet").PolylineOptions} style */
  line(points, style) {
    return this.L.polyline(turned(points), { renderer: this.canvas, ...style });
  }
}

/** @param {NetworkPipe} pipe */
function described([name, material, said, diameter, length]) {
  const words = [name, said || t(`pipe.material.${material || "unknown"}`), diameter === null ? "" : `${number(diameter)} mm`, `${number(length)} m`];
  return words.filter(Boolean).join(" · ");
}
