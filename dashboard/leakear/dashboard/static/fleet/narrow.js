// A search that chooses which nodes of a large fleet a page knows; hidden while the page has them all. It ends with its page.
import { h } from "../js/dom.js";
import { t } from "../js/i18n.js";
import { fleet, look, on } from "../js/store.js";

const ROWS = 200;
const PAUSE_MS = 200;

/** @param {() => void} [found] is called when other nodes have come */
export function narrow(found = () => {}) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later;
  const box = h("input", { type: "search", name: "narrow", placeholder: t("narrow"), "aria-label": t("narrow"),
    oninput: () => { clearTimeout(later); later = setTimeout(ask, PAUSE_MS); } });
  const element = h("label.narrow", { hidden: true }, h("span.dim", null, t("narrow.hint")), box);
  const ask = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 8).map((/** @type {string} */ word) => [word.slice(0, 100), []]);
    look({ words, sort: "name", offset: 0, limit: ROWS });
  };
  let shown = false;
  const draw = () => {
    shown ||= element.isConnected;
    if (shown && !element.isConnected) { clearTimeout(later); ends.forEach((end) => end()); return; }
    if (element.hidden === Boolean(fleet.part)) { element.hidden = !fleet.part; if (fleet.part) ask(); }
  };
  const ends = [on("fleet", draw), on("diff", ({ heads }) => { draw(); if (heads && fleet.part) found(); })];
  draw();
  return element;
}
