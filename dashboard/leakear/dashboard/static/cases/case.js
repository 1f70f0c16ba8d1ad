// One case: what is known, what to do now, and every change with who and when. What is typed is never lost: a step that
// the server refuses, or that the network does not carry, stays in its form; sent twice it is done once.
import { get, h, post, say } from "../js/dom.js";
import { language, number, sentence, t, timeElement } from "../js/i18n.js";
import { me, on } from "../js/store.js";
import { LOOK, next, status, water } from "./cases.js";

const OUTCOMES = ["found", "not-found", "pressure-valve", "other"];
/** status → steps, the first is the next one to take */
const STEPS = {
  open: ["assign", "visit", "repair", "describe", "note", "close"], assigned: ["visit", "assign", "repair", "describe", "note", "close"],
  visited: ["repair", "assign", "describe", "note", "close"], repaired: ["note", "assign", "reopen", "close"],
  verified: ["note", "reopen"], closed: ["note", "reopen"],
};
const AGAIN_MS = 3000;

export function casePage(go, id) {
  const state = { one: null, form: null, what: "", typing: false, sending: false, seen: 0 };
  const head = h("div.titles");
  const facts = h("dl.facts");
  const log = h("ol.history", { reversed: true });
  const steps = h("div.segmented.steps", { role: "group", "aria-label": t("case.steps") });
  const place = h("div.step");
  const todo = h("p.next");
  const element = h("main", { id: "main" }, h("div.page", null, h("div.inner", null, head,
    h("div.columns", null,
      h("div", null, h("section.panel", null, todo, me.operates ? [steps, place] : null), h("section.panel", null, h("h2", null, t("case.history")), log)),
      h("div", null, h("section.panel", null, h("h2", null, t("case")), facts, h("div.buttons", null, ["html", "pdf"].map((kind) => h("a.button", { "data-report": kind, href: `/api/reports/case/${id}?format=${kind}&language=${language}`, target: kind === "html" ? "_blank" : null, download: kind === "pdf" ? "" : null }, t(`report.${kind}`))))))))));
  const ends = [
    on("case", ({ case: one }) => { if (!one) load(); else if (one.id === id) show(one); }),
    on("fleet", () => load()),
  ];

  async function load() {
    try { show((await get(`/api/cases/${id}`)).case); } catch (error) { if (error.status === 404) say(todo, sentence(error.message)); }
  }

  function show(one) {
    if (state.one && one.version < state.one.version) return;
    state.one = one;
    if (!state.sending) meanwhile(one);
    element.dataset.version = String(one.version);
    element.dataset.status = one.status;
    const path = `/node/${encodeURIComponent(one.site)}/${encodeURIComponent(one.node)}`;
    head.replaceChildren(h("a.crumb", { href: "/cases", onclick: (e) => { e.preventDefault(); go("/cases"); } }, `‹ ${t("cases")}`),
      h("h1", null, h("a", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, `${one.node} · ${one.site}`)), status(one));
    say(todo, next(one));
    todo.dataset.look = LOOK[one.status];
    facts.replaceChildren(...known(one));
    log.replaceChildren(...one.changes.map((change) => entry(one, change)).reverse());
    const allowed = STEPS[one.status];
    if (!state.form || (!state.typing && !allowed.includes(state.what))) choose(allowed[0]);
    steps.replaceChildren(...allowed.map((what) => h("button", { "data-step": what, "aria-pressed": String(what === state.what), onclick: () => { if (!state.sending) { choose(what); show(state.one); } } }, t(`step.${what}`))));
  }

  /** What is typed was typed over an older case: tell it in the form, whose next save is over what is shown now. */
  function meanwhile(one) {
    if (state.typing && one.version > state.seen) state.form.tell(changed(one.changes.at(-1)));
    state.seen = one.version;
  }

  function choose(what) {
    Object.assign(state, { what, typing: false, form: form(what, state, show) });
    place.replaceChildren(state.form.element);
  }

  load();
  return { element, close: () => ends.forEach((end) => end()), title: t("case") };
}

/** Who changed the case while something was typed. */
function changed(change) {
  return t("case.changed", { who: change.who, step: t(`case.did.${change.what}`) });
}

function known(one) {
  const rows = [];
  const put = (key, value) => { if (value) rows.push(h("dt", null, t(`case.${key}`)), h("dd", null, value)); };
  put("since", timeElement(one.since));
  put("certainty", sentence(one.certainty));
  put("opened", h("span", null, timeElement(one.opened), ` (${one.opened_by})`));
  put("assigned", one.assigned_to);
  put("pipe", one.pipe);
  put("position", one.position);
  put("visited", one.visited && timeElement(one.visited));
  put("outcome", one.outcome && t(`outcome.${one.outcome}`));
  put("place", one.latitude === null ? null : `${number(one.latitude, 5)}, ${number(one.longitude, 5)}`);
  put("repaired", one.repaired && timeElement(one.repaired));
  put("water", one.water && water(one.water));
  put("reopened", one.reopened ? number(one.reopened) : null);
  return rows;
}

function entry(one, change) {
  return h("li", { "data-what": change.what }, h("b", null, t(`case.did.${change.what}`)), " ", h("span.dim", null, change.who, " · ", timeElement(change.at)),
    change.details.outcome ? h("div", null, t(`outcome.${change.details.outcome}`)) : null,
    change.details.assigned_to ? h("div", null, change.details.assigned_to) : null,
    change.note ? h("div.note", null, sentence(change.note)) : null,
    change.photo ? h("img.photo", { src: `/api/cases/${one.id}/photos/${change.version}`, alt: t("case.photo"), loading: "lazy" }) : null);
}

/** A form for one step. `request` names what is sent: the same again is done once. `tell` shows a sentence in it. */
function form(what, state, show) {
  let request = name();
  const trouble = h("div.answer.bad", { role: "alert", hidden: true });
  const save = h("button.primary", null, t(`step.${what}`));
  const fields = FIELDS[what](state.one ?? {}, () => state.one);
  const element = h("form.case-step", {
    "data-form": what,
    oninput: () => { state.typing = true; },
    onsubmit: (event) => { event.preventDefault(); send(); },
  }, fields.map((field) => field.element), h("label", null, t("note"), h("textarea", { name: "note", rows: 2, maxlength: 2000 })), trouble, save);

  function tell(words) {
    trouble.hidden = false;
    say(trouble, words);
  }

  async function send() {
    save.disabled = true;
    state.sending = true;
    const given = { request, version: state.seen, what };
    try {
      for (const field of fields) Object.assign(given, await field.read());
      given.note = element.querySelector("[name=note]").value;
      const { case: one } = await post(`/api/cases/${state.one.id}/steps`, given);
      Object.assign(state, { typing: false, sending: false, form: null });
      show(one.version < state.one.version ? state.one : one);
    } catch (error) {
      if (!error.status && error instanceof TypeError) {
        tell(t("case.offline"));
        setTimeout(() => { if (element.isConnected) send(); }, AGAIN_MS);
        return;
      }
      refused(error);
    }
    state.sending = false;
    save.disabled = false;
  }

  function refused(error) {
    state.sending = false;
    tell(error.status ? sentence(error.message) : error.message);
    if (error.status !== 409) return;
    request = name();
    state.seen = error.data.case.version;
    show(error.data.case);
  }
  return { element, tell };
}

function name() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** `present`: the value of now, sent where this field was not touched, for the form sets several fields at once. */
function text(key, value, more = {}, present = () => value) {
  const input = h("input", { name: key, value: value ?? "", ...more });
  const touched = () => input.value !== (value ?? "");
  return { element: h("label", null, t(`field.${key}`), input), read: () => ({ [key]: touched() ? input.value : present() ?? "" }) };
}

function figure(key, more = {}) {
  const input = h("input", { name: key, type: "number", step: "any", ...more });
  return { element: h("label", null, t(`field.${key}`), input), read: () => (input.value === "" ? {} : { [key]: Number(input.value) }) };
}

function moment() {
  const input = h("input", { name: "at", type: "datetime-local" });
  return { element: h("label", null, t("field.at"), input), read: () => (input.value ? { at: new Date(input.value).getTime() / 1000 } : {}) };
}

function outcome() {
  const group = `outcome-${name()}`;
  const choices = OUTCOMES.map((key) => h("label", null, h("input", { type: "radio", name: group, value: key, required: true }), t(`outcome.${key}`)));
  const element = h("fieldset", null, h("legend", null, t("field.outcome")), choices);
  return { element, read: () => ({ outcome: element.querySelector("input:checked").value }) };
}

function photo() {
  const input = h("input", { name: "photo", type: "file", accept: "image/jpeg,image/png" });
  return { element: h("label", null, t("field.photo"), input), read: async () => {
    const [file] = input.files;
    if (!file) return {};
    const bytes = new Uint8Array(await file.arrayBuffer());
    let binary = "";
    for (let i = 0; i < bytes.length; i += 32768) binary += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return { photo: btoa(binary) };
  } };
}

const FIELDS = {
  assign: (one) => [text("assigned_to", one.assigned_to || me.name, { maxlength: 80 })],
  describe: (one, now) => [
    text("pipe", one.pipe, { maxlength: 80 }, () => now().pipe), text("position", one.position, { maxlength: 320 }, () => now().position),
  ],
  visit: () => [outcome(), moment(), photo(), figure("latitude", { min: -90, max: 90 }), figure("longitude", { min: -180, max: 180 })],
  repair: () => [moment(), figure("flow_low", { min: 0 }), figure("flow_high", { min: 0 })],
  note: () => [], close: () => [], reopen: () => [],
};
