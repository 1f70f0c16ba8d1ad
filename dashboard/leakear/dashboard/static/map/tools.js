// Beside the map: positions by click and by phone, files in and out, what is heard.
import { fill, get, h, post, say } from "../js/dom.js";
import { number, sentence, t } from "../js/i18n.js";
import { narrow } from "../fleet/narrow.js";
import { fleet, me, size } from "../js/store.js";
import { INKS } from "./pipes.js";

/** @typedef {{ kind: string, zone?: string, latitude?: number, longitude?: number }} System */

/** What the map does for its tools.
 * @typedef {{ middle: () => [latitude: number, longitude: number], arm: (armed: boolean) => void, placed: () => Set<string>, count: () => number, open: (key: string) => void }} Hands */

/** @param {Hands} hands */
export function tools(hands) {
  const said = h("div.answer", { role: "status", hidden: true });
  const tell = (/** @type {string} */ text, bad = false) => {
    say(said, text);
    said.classList.toggle("bad", bad);
    said.hidden = !text;
  };
  const act = async (/** @type {() => Promise<string>} */ work) => {
    try { tell(await work()); } catch (error) { tell(sentence(/** @type {Error} */ (error).message), true); }
  };
  const placing = me.operates ? place(hands, act) : null;
  const heard = coverage();
  const parts = [
    placing?.element, me.operates ? files(hands, act) : null, said, heard.element, legend(),
    h("a.button", { href: "/api/map/geojson", download: "" }, "GeoJSON"),
  ];
  return { element: h("aside.map-tools", { "aria-label": t("map.tools") }, parts), refresh: () => placing?.refresh(), take: placing?.take, heard };
}

/** @param {Hands} hands @param {(work: () => Promise<string>) => Promise<void>} act */
function place(hands, act) {
  const choice = h("select", { "aria-label": t("map.node") });
  const count = h("p.dim");
  let armed = false;
  const arm = (/** @type {boolean} */ on) => {
    armed = on;
    pick.setAttribute("aria-pressed", String(on));
    hint.hidden = !on;
    hands.arm(on);
  };
  const pick = h("button.pick", { "aria-pressed": "false", onclick: () => arm(!armed) }, t("map.click"));
  const hint = h("p.dim", { hidden: true }, t("map.click.hint"));
  const store = (/** @type {object} */ where) => act(async () => {
    const [site, node] = choice.value.split("/");
    if (!node) return t("map.none.left");
    await post("/api/map/place", { site, node, ...where });
    arm(false);
    return t("map.placed", { node });
  });
  const phone = h("button.gps", { onclick: () => navigator.geolocation.getCurrentPosition(
    ({ coords: { latitude, longitude, accuracy } }) => store({ latitude, longitude, accuracy, source: "gps" }),
    () => act(async () => { throw new Error(t("map.gps.failed")); }), { enableHighAccuracy: true, timeout: 30000 }) }, t("map.gps"));

  function refresh() {
    const placed = hands.placed();
    const all = [...new Set([...fleet.byKey.keys(), ...placed])].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    say(count, t("map.count", { placed: number(hands.count()), all: number(size()) }));
    const kept = choice.value;
    const wanted = [...all.filter((key) => !placed.has(key)), ...all.filter((key) => placed.has(key))].slice(0, 2000);
    const stamp = wanted.join() + placed.size;
    if (choice.stamp === stamp) return;
    choice.stamp = stamp;
    choice.replaceChildren(...wanted.map((key) => h("option", { value: key }, placed.has(key) ? `${key} ✓` : key)));
    if (wanted.includes(kept) && !placed.has(kept)) choice.value = kept;
  }

  return {
    element: h("section.panel", null, h("h2", null, t("map.positions")), count, narrow(), h("label", null, t("map.node"), choice), h("div.buttons", null, pick, phone), hint),
    refresh,
    /** A place on the map was chosen, by click or in its middle by Enter. @param {number} latitude @param {number} longitude */
    take: (latitude, longitude) => { if (armed) store({ latitude, longitude, source: "click" }); },
  };
}

/** @param {Hands} hands @param {(work: () => Promise<string>) => Promise<void>} act */
function files(hands, act) {
  const file = h("input", { type: "file", name: "file", accept: ".inp,.geojson,.json,.csv,.txt" });
  const zone = h("input", { name: "zone", placeholder: "23S", "aria-label": t("map.zone"), size: 5, hidden: true });
  const kind = h("select", { name: "kind", onchange: () => { zone.hidden = kind.value !== "utm"; } },
    ["degrees", "utm", "plane"].map((name) => h("option", { value: name }, t(`map.system.${name}`))));
  const replace = h("input", { type: "checkbox", name: "replace", checked: true });
  const send = h("button.primary.upload", { onclick: () => act(async () => {
    const chosen = file.files[0];
    if (!chosen) return t("map.nofile");
    const [latitude, longitude] = hands.middle();
    const system = { kind: kind.value, zone: zone.value, latitude, longitude };
    const counts = await post("/api/map/upload", { name: chosen.name, text: await text(chosen), system, replace: replace.checked });
    return t("map.taken", { placed: number(counts.placed), pipes: number(counts.pipes), unknown: number(counts.unknown), left_out: number(counts.left_out) });
  }) }, t("map.upload"));
  const clear = h("button.clear", { onblur: () => reset(), onclick: () => {
    if (!clear.dataset.sure) { clear.dataset.sure = "yes"; say(clear, t("map.clear.sure")); return; }
    reset();
    act(async () => t("map.cleared", { pipes: number((await post("/api/map/clear")).pipes) }));
  } }, t("map.clear"));
  const reset = () => { delete clear.dataset.sure; say(clear, t("map.clear")); };
  return h("section.panel", null, h("h2", null, t("map.files")), h("p.dim", null, t("map.files.hint")), file,
    h("label", null, t("map.system"), h("div.buttons", null, kind, zone)),
    h("label.check", null, replace, h("span", null, t("map.replace"))), h("div.buttons", null, send, clear));
}

/** A file as text: UTF-8, or what Windows programs write. @param {File} file */
async function text(file) {
  const bytes = await file.arrayBuffer();
  try { return new TextDecoder("utf-8", { fatal: true }).decode(bytes); } catch { return new TextDecoder("windows-1252").decode(bytes); }
}

function coverage() {
  const table = h("table.map-heard");
  const element = h("section.panel", { hidden: true }, h("h2", null, t("map.heard")), table, h("p.dim", null, t("map.heard.source")));
  return {
    element,
    /** @returns {Promise<import("./pipes.js").Point[][]>} stretches that nobody hears */
    async load() {
      const { by_material: sums, spacing_m: spacing, unheard } = await get("/api/map/coverage");
      const rows = Object.entries(sums).map(([name, [all, part]]) => h("tr", { "data-material": name, "data-heard": part },
        h("th", { scope: "row" }, t(`pipe.material.${name}`)), h("td", null, `${number(all / 1000, 1)} km`),
        h("td", null, all ? `${number((100 * part) / all)} %` : "–"), h("td", null, `${number(spacing[name])} m`)));
      fill(table, [h("thead", null, h("tr", null, ["map.material", "map.length", "map.share", "map.spacing"].map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", null, rows)]);
      element.hidden = !rows.length;
      return unheard;
    },
  };
}

function legend() {
  const line = (/** @type {string} */ key, /** @type {string} */ ink, /** @type {string} */ style) => {
    const mark = h("i");
    mark.style.borderTop = `${style} var(${ink})`;
    return h("li", null, mark, t(key));
  };
  return h("ul.map-legend", { "aria-label": t("map.legend") },
    line("map.metal", INKS.iron[0], "3px solid"), line("pipe.material.cement", INKS.cement[0], "3px dashed"), line("map.plastic", INKS.pvc[0], "3px dotted"),
    line("pipe.material.unknown", INKS.unknown[0], "2px dotted"), line("map.stretch", "--accent", "4px solid"),
    line("map.unheard", "--warning-edge", "8px solid"), line("map.interval", "--leak-edge", "8px solid"));
}
