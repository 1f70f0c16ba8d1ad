// The map: where nodes and pipes lie, which of them leak, which pipes nobody hears.
import { address, get, h, post, say } from "../js/dom.js";
import { ago, local, number, sentence, t } from "../js/i18n.js";
import { fleet, me, now, on } from "../js/store.js";
import { badge } from "../js/states.js";
import { libraries } from "./library.js";
import { NodeLayer, nameOf } from "./nodes.js";
import { PipeLayer } from "./pipes.js";
import { tools } from "./tools.js";

const VIEW = "leakear.map";
const DEEPEST = 22;
const COVERAGE_MS = 20000;

/** @param {(path: string) => void} go */
export function mapPage(go) {
  const view = new MapView(go);
  return { element: view.element, close: () => view.close(), title: t("map") };
}

class MapView {
  /** @param {(path: string) => void} go */
  constructor(go) {
    this.go = go;
    this.place = h("div.map-place", { role: "application", "aria-label": t("map"), "aria-description": t("map.keys") });
    this.nothing = h("p.map-nothing", { hidden: true }, t("map.nothing"));
    this.credit = h("p.map-credit", { hidden: true });
    this.trouble = h("p.map-trouble", { role: "alert", hidden: true });
    this.tools = tools({
      middle: () => { const { lat, lng } = this.map?.getCenter() ?? { lat: 0, lng: 0 }; return [lat, lng]; },
      arm: (armed) => { this.place.dataset.armed = armed ? "yes" : ""; if (armed) this.place.focus(); },
      placed: () => new Set(this.nodes?.placed.keys() ?? []), count: () => this.shown?.count ?? 0, open: (key) => this.nodes?.open(key),
    });
    this.element = h("main", { id: "main" }, h("div.map-page", null,
      h("h1.hidden-text", null, t("map")), h("div.map-frame", null, this.place, this.nothing, this.credit, this.trouble), this.tools.element));
    /** @type {(() => void)[]} */
    this.ends = [];
    /** @type {import("./pipes.js").NetworkPipe[]} */
    this.pipes = [];
    /** @type {any} */
    this.shown = null;
    this.closed = false;
    this.turn = 0;
    this.start().catch((error) => this.fail(error));
  }

  close() {
    this.closed = true;
    this.ends.forEach((end) => end());
    this.map?.remove();
  }

  /** @param {Error} error */
  fail(error) {
    say(this.trouble, sentence(error.message) || t("map.failed"));
    this.trouble.hidden = false;
  }

  async start() {
    const data = Promise.all([get("/api/map"), get("/api/map/network")]);
    const loaded = await libraries();
    const [shown, network] = await data;
    if (this.closed) return;
    this.build(loaded, shown);
    this.take(shown);
    this.showNetwork(network.pipes);
    requestAnimationFrame(() => { this.element.dataset.drawn = String(Math.round(performance.now())); });
    await this.cover();
  }

  /** @param {import("./library.js").Libraries} loaded @param {any} shown */
  build(loaded, shown) {
    const { L } = loaded;
    const map = this.map = L.map(this.place, { attributionControl: false, zoomControl: false, maxZoom: DEEPEST, worldCopyJump: true });
    L.control.zoom({ zoomInTitle: t("map.closer"), zoomOutTitle: t("map.wider") }).addTo(map);
    L.control.scale({ imperial: false }).addTo(map);
    this.background(L, shown.tiles);
    map.setView([0, 0], 2);
    this.layers = new PipeLayer(L, map, this.go);
    this.nodes = new NodeLayer(loaded, map, (key) => this.popup(key));
    map.on("click", (event) => this.tools.take?.(event.latlng.lat, event.latlng.lng));
    map.on("moveend", () => sessionStorage.setItem(VIEW, JSON.stringify([map.getCenter().lat, map.getCenter().lng, map.getZoom()])));
    this.place.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter" && event.target === this.place) { const { lat, lng } = map.getCenter(); this.tools.take?.(lat, lng); }
    });
    this.listen();
  }

  listen() {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let soon;
    const refresh = () => { clearTimeout(soon); soon = setTimeout(() => { this.nodes?.refresh(); this.tools.refresh(); }, 300); };
    const again = () => this.load().catch((error) => this.fail(error));
    const timer = setInterval(() => this.cover().catch(() => {}), COVERAGE_MS);
    const themes = new MutationObserver(() => this.restyle());
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const size = new ResizeObserver(() => this.map?.invalidateSize());
    size.observe(this.place);
    this.ends = [
      on("fleet", refresh), on("diff", ({ heads }) => { if (heads) refresh(); }), on("map", again), on("case", again), on("pipes", again),
      on("location", ({ row }) => { if (row.state === "done") again(); }),
      () => clearTimeout(soon), () => clearInterval(timer), () => themes.disconnect(), () => size.disconnect(),
    ];
  }

  /** Somebody changed the map: fetch it again, the view stays. */
  async load() {
    const turn = ++this.turn;
    const [shown, network] = await Promise.all([get("/api/map"), get("/api/map/network")]);
    if (turn !== this.turn || this.closed) return;
    this.take(shown);
    this.showNetwork(network.pipes);
    await this.cover();
  }

  /** @param {any} shown */
  take(shown) {
    const first = !this.shown;
    this.shown = shown;
    this.layers?.showStretches(shown.stretches);
    this.nodes?.show(shown.positions, new Set(shown.cases.map((/** @type {any} */ one) => `${one.site}/${one.node}`)));
    this.tools.refresh();
    this.element.dataset.positions = String(shown.count);
    if (first) this.recall();
  }

  /** @param {import("./pipes.js").NetworkPipe[]} pipes */
  showNetwork(pipes) {
    const first = !this.pipes.length && pipes.length > 0;
    this.pipes = pipes;
    this.layers?.showNetwork(pipes);
    this.element.dataset.pipes = String(pipes.length);
    this.nothing.hidden = pipes.length > 0 || this.shown.count > 0;
    if (first && !this.recalled) this.fit();
  }

  restyle() {
    this.layers?.showNetwork(this.pipes);
    this.layers?.showStretches(this.shown.stretches);
    this.layers?.showUnheard(this.unheard ?? []);
  }

  async cover() {
    if (!this.pipes.length) return;
    const unheard = await this.tools.heard.load();
    if (this.closed) return;
    this.unheard = unheard;
    this.layers?.showUnheard(unheard);
    this.element.dataset.unheard = String(unheard.length);
  }

  /** The view of this tab before, else all there is. */
  recall() {
    const [latitude, longitude, zoom] = JSON.parse(sessionStorage.getItem(VIEW) ?? "[]");
    this.recalled = zoom > 2;
    if (this.recalled) this.map?.setView([latitude, longitude], zoom, { animate: false });
    else this.fit();
  }

  fit() {
    const [west, south, east, north] = this.shown.box ?? [];
    /** @type {import("leaflet").LatLngTuple[]} */
    const all = this.shown.box ? [[south, west], [north, east]] : [];
    for (const pipe of this.pipes) for (const [longitude, latitude] of pipe[5]) all.push([latitude, longitude]);
    if (all.length) this.map?.fitBounds(all, { padding: [30, 30], maxZoom: 17, animate: false });
  }

  /** Tiles of the configured file. Their makers' words are shown as text, not as markup.
   * @param {import("./library.js").Leaflet} L @param {any} tiles */
  background(L, tiles) {
    if (!tiles || !this.map) return;
    L.tileLayer(address("/tiles/{z}/{x}/{y}"), { minNativeZoom: tiles.minzoom, maxNativeZoom: tiles.maxzoom, maxZoom: DEEPEST }).addTo(this.map);
    say(this.credit, tiles.attribution.replace(/<[^>]*>/g, "").replace(/&copy;/g, "©"));
    this.credit.hidden = !tiles.attribution;
  }

  /** What a node's popup holds. @param {string} key @returns {HTMLElement} */
  popup(key) {
    const [site, name] = key.split("/");
    const node = fleet.byKey.get(key);
    const row = this.nodes?.placed.get(key);
    const link = (/** @type {string} */ path, /** @type {string} */ text) => h("a.button", { href: path, onclick: (/** @type {Event} */ e) => { e.preventDefault(); this.go(path); } }, text);
    const open = this.shown.cases.find((/** @type {any} */ one) => one.site === site && one.node === name);
    const take = h("button.take-away", { onclick: async () => {
      try { await post("/api/map/remove", { site, node: name }); } catch (error) { this.fail(/** @type {Error} */ (error)); }
    } }, t("map.take.away"));
    return h("div.map-popup", null, h("strong", null, name, " ", h("span.dim", null, site)), badge(nameOf(key)),
      h("div.dim", null, t("seen.ago", { when: ago(node?.seen, now()) })),
      row ? h("div.dim", null, t(`map.source.${row.source}`), row.accuracy ? ` ± ${number(row.accuracy)} m` : "", ` · ${row.changed_by}, ${local(row.changed)}`) : null,
      h("div.buttons", null, link(`/node/${encodeURIComponent(site)}/${encodeURIComponent(name)}`, t("map.node.page")),
        open ? link(`/cases/${open.id}`, t("case")) : null, me.operates && row ? take : null));
  }
}
