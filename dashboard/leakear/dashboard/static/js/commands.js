// What may be asked of a node. The server checks again who asks, and what.
import { h, post, say } from "./dom.js";
import { number, sentence, t } from "./i18n.js";

const MUTES = [["mute.1h", 1], ["mute.8h", 8], ["mute.3d", 72], ["mute.end", 0]];

export function commands(site, name, node, go) {
  const answers = h("div.log", { "aria-live": "polite" });
  const base = `/api/nodes/${encodeURIComponent(site)}/${encodeURIComponent(name)}`;

  async function ask(command, values, button) {
    button.disabled = true;
    try {
      const { ok, error, result } = await post(`${base}/commands/${command}`, values);
      answers.prepend(answer(command, ok, error, result));
    } catch (error) {
      answers.prepend(answer(command, false, error.message, {}));
    }
    button.disabled = false;
    while (answers.children.length > 4) answers.lastChild.remove();
  }

  const simple = (command) => h("button", { "data-command": command, onclick: (e) => ask(command, {}, e.currentTarget) }, t(`command.${command}`));
  const threshold = h("input", { type: "number", min: 0.01, max: 0.99, step: 0.01, name: "threshold", placeholder: number(node()?.threshold ?? null, 2), required: true });
  const mute = h("select", { name: "mute" }, MUTES.map(([key, hours]) => h("option", { value: hours }, t(key))));
  const hours = h("input", { type: "number", min: 0.01, max: 336, step: "any", value: "8", name: "hours", required: true });
  const calibrate = (action, values = {}) => h("button", { type: "button", "data-command": `calibrate-${action}`, onclick: (e) => ask("calibrate", { action, ...values }, e.currentTarget) }, t(`calibrate.${action}`));
  const form = (control, key, command, values) => h("form.one", {
    "data-form": command + key, onsubmit: (e) => { e.preventDefault(); ask(command, values(), e.target.querySelector("button")); },
  }, h("label", null, t(key), control), h("button", null, t("send")));
  return h("div.commands", null,
    h("div.buttons", null, simple("identify"), simple("status"), simple("selftest")),
    form(threshold, "threshold", "set", () => ({ threshold: Number(threshold.value) })),
    form(mute, "mute", "set", () => ({ mute_until: new Date(Date.now() + Number(mute.value) * 3600e3).toISOString() })),
    form(hours, "calibrate.hours", "calibrate", () => ({ action: "start", hours: Number(hours.value) })),
    h("div.buttons", null, calibrate("status"), calibrate("apply"), calibrate("cancel"), forget(base, go, answers)), answers);
}

/** Take the node out of the fleet; where the broker keeps its last messages, say so. */
function forget(base, go, answers) {
  return twice("forget", async () => {
    const { cleared, failed } = await post(`${base}/forget`).catch((error) => ({ failed: error.message }));
    if (cleared) { go("/"); return; }
    answers.prepend(h(failed ? "div.answer.bad" : "div.answer", { "data-answer": "forget", "data-ok": String(!failed) }, failed ? sentence(failed) : t("forget.kept")));
  });
}

/** The button beside an alert with which a person states that it is no leak. */
export function notALeak(site, name) {
  const path = `/api/nodes/${encodeURIComponent(site)}/${encodeURIComponent(name)}/commands/calibrate`;
  return twice("not-a-leak", async (button) => {
    const { ok, error } = await post(path, { action: "not_a_leak" }).catch((failed) => ({ ok: false, error: failed.message }));
    button.dataset.ok = String(ok);
    say(button, ok ? t("done") : sentence(error));
  });
}

/** Two clicks: the first asks, the second does. */
function twice(key, act) {
  const reset = () => { delete button.dataset.sure; say(button, t(key)); };
  const button = h("button", {
    onclick: async () => {
      if (!button.dataset.sure) { button.dataset.sure = "yes"; say(button, t(`${key}.sure`)); return; }
      delete button.dataset.sure;
      await act(button);
    },
    onblur: reset, title: t(`${key}.hint`), "data-command": key,
  }, t(key));
  return button;
}

function answer(command, ok, error, result) {
  const rows = flat(result).flatMap(([key, value]) => [h("dt", null, key), h("dd", null, value)]);
  return h(ok ? "div.answer" : "div.answer.bad", { "data-answer": command, "data-ok": String(ok) },
    h("strong", null, `${t(`command.${command}`)}: ${ok ? t("done") : sentence(error)}`), rows.length ? h("dl.facts", null, rows) : null);
}

/** [name, text] of every value of an answer. */
function flat(value, name = "") {
  if (value === null || typeof value !== "object") return [[name, typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, name ? `${name}.${key}` : key));
}
