// What may be asked of a node. The server checks again who asks, and what.
import { h, post, say } from "./dom.js";
import { number, sentence, t } from "./i18n.js";

/** @type {[string, number][]} */
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
  const form = (control, key, command, values) => {
    const button = h("button", { onblur: () => { delete button.dataset.sure; say(button, t("send")); } }, t("send"));
    const send = (event) => {
      event.preventDefault();
      if (!button.dataset.sure) { button.dataset.sure = "yes"; say(button, t("sure")); return; }
      delete button.dataset.sure;
      say(button, t("send"));
      ask(command, values(), button);
    };
    return h("form.one", { "data-form": command + key, onsubmit: send }, h("label", null, t(key), control), button);
  };
  const changing = (key, command, values) => twice(key, (button) => ask(command, values, button));
  return h("div.commands", null,
    h("div.buttons", null, simple("identify"), simple("status"), simple("selftest")),
    form(threshold, "threshold", "set", () => ({ threshold: Number(threshold.value) })),
    form(mute, "mute", "set", () => ({ mute_until: new Date(Date.now() + Number(mute.value) * 3600e3).toISOString() })),
    form(hours, "calibrate.hours", "calibrate", () => ({ action: "start", hours: Number(hours.value) })),
    h("div.buttons", null, calibrate("status"), calibrate("cancel"), changing("calibrate-apply", "calibrate", { action: "apply" })),
    h("h3", null, t("commands.care")),
    h("div.buttons", null, changing("as-configured", "set", { as_configured: true }), changing("accept-floor", "calibrate", { action: "accept_floor" }), forget(base, go, answers)), answers);
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

/** The button beside a node whose noise floor has fallen: the present one is right, learn from here. */
export function acceptFloor(site, name) {
  const path = `/api/nodes/${encodeURIComponent(site)}/${encodeURIComponent(name)}/commands/calibrate`;
  return twice("accept-floor", async (button) => {
    const { ok, error } = await post(path, { action: "accept_floor" }).catch((failed) => ({ ok: false, error: failed.message }));
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
  if (command === "selftest" && ok && Array.isArray(result.checks)) return selftest(result);
  const rows = flat(result).flatMap(([key, value]) => [h("dt", null, key), h("dd", null, value)]);
  return h(ok ? "div.answer" : "div.answer.bad", { "data-answer": command, "data-ok": String(ok) },
    h("strong", null, `${t(`command.${command}`)}: ${ok ? t("done") : sentence(error)}`), rows.length ? h("dl.facts", null, rows) : null);
}

/** The findings of a self-test, the bad ones first and in red, in words. */
function selftest({ passed, checks }) {
  const rows = [...checks].sort((a, b) => Number(a.ok) - Number(b.ok)).map((check) =>
    h(check.ok ? "li" : "li.bad", { "data-check": check.name, "data-ok": String(check.ok) }, h("strong", null, `${t(`check.${check.name}`)}: ${t(check.ok ? "check.ok" : "check.bad")}`), " ", sentence(check.detail)));
  return h(passed ? "div.answer" : "div.answer.bad", { "data-answer": "selftest", "data-ok": String(passed), role: passed ? null : "alert" },
    h("strong", null, `${t("command.selftest")}: ${t(passed ? "selftest.passed" : "selftest.failed")}`), h("ul.checks", null, rows));
}

/** [name, text] of every value of an answer. */
function flat(value, name = "") {
  if (value === null || typeof value !== "object") return [[name, typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, name ? `${name}.${key}` : key));
}
