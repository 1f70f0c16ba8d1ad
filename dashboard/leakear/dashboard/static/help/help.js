// Help and glossary: what each word of the page means, and what to do about each fault. Made of the texts alone.
import { h } from "../js/dom.js";
import { t } from "../js/i18n.js";
import { badge } from "../js/states.js";

const STATES = ["LEAK", "WARNING", "SENSOR_FAULT", "NOISY", "OK", "stale", "waiting", "judged"];
export const FAULTS = [
  "no_device", "no_frames", "wrong_rate", "clipping", "digital_silence", "stuck", "dc_offset", "mains_dominance",
  "missing_highs", "floor_drift", "lifeless", "nan", "not_judged", "no_score", "outbox_disk", "outbox_corrupt",
  "model_ledger", "model_file", "only_loud_alerts", "publish_refused", "connection_cut", "no_retain", "command_too_large",
  "mqtt_files", "mqtt_failed", "certificate_expires", "restarts_often", "clock_jumped", "evidence_not_kept", "update_rolled_back",
];
const TERMS = ["score", "level", "dbmin", "spread", "background", "excess", "threshold", "night", "rise", "case", "certainty", "quiet", "muted", "missing", "outbox", "trial"];
const KEYS = ["slash", "arrows", "enter", "back", "tab"];

export function helpPage() {
  const term = (id, name, ...text) => h("div.term", { id, tabindex: -1 }, h("dt", null, name), h("dd", null, text));
  const element = h("main", { id: "main" }, h("div.page", null, h("div.inner.reading", null,
    h("h1", null, t("help")),
    h("section.panel", null, h("h2", null, t("help.first")), ["see", "act", "case", "learn"].map((key) => h("p", null, t(`help.first.${key}`)))),
    h("section.panel", null, h("h2", null, t("help.states")), h("dl.terms", null, STATES.map((name) => term(`state-${name}`, badge(name), t(`help.state.${name}`))))),
    h("section.panel", null, h("h2", null, t("help.faults")), h("dl.terms", null, FAULTS.map((name) => term(`fault-${name}`, t(`fault.${name}`), t(`remedy.${name}`), " ", h("code.mono", null, name))))),
    h("section.panel", null, h("h2", null, t("help.terms")), h("dl.terms", null, TERMS.map((name) => term(`term-${name}`, t(`term.${name}`), t(`term.${name}.means`))))),
    h("section.panel", null, h("h2", null, t("help.keys")), h("ul", null, KEYS.map((name) => h("li", null, t(`help.key.${name}`))))))));
  queueMicrotask(() => {
    const wanted = document.getElementById(location.hash.slice(1));
    if (wanted) { wanted.scrollIntoView({ block: "center" }); wanted.focus(); }
  });
  return { element, close: () => {}, title: t("help") };
}
