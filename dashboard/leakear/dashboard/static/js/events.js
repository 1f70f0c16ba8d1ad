// One entry of the log: what happened, who has seen it, what it was, and its sound.
import { fill, get, h, post } from "./dom.js";
import { level, number, sentence, t, timeElement } from "./i18n.js";
import { me } from "./store.js";
import { badge, look, subject, word } from "./states.js";
import { clipPlayer } from "./spectrum.js";
import { going, opener } from "../cases/cases.js";
import { openAt } from "../cases/known.js";
import { located } from "./pipes/known.js";

const VERDICTS = ["leak", "false-alarm", "unknown"];
/** Only these can turn out to be a leak or none. */
const JUDGED = ["LEAK", "WARNING"];
const MATERIALS = ["", "Metal", "NonMetal"];

let moments = 0;

/** Now, in the order of what happens to this page: an answer knows nothing of what came after it was asked for. */
export function moment() {
  return ++moments;
}

/**
 * An element that shows an event; `row` may be replaced later through `.show(row)`. What was asked for at an earlier
 * moment (`asof`) than what is shown replaces nothing. `.held` says that somebody writes a verdict, listens or waits for
 * an answer there: such an entry stays where it is. `.renew()` shows what is known now of the node's case.
 */
export function entry(row, { go, compact = false, asof = moment() }) {
  const element = h(compact ? "article.entry.compact" : "article.entry", { "data-id": row.id });
  const state = { row, asof, form: null, player: null, listening: false, trouble: null, busy: 0, focus: null, case: null };
  element.show = (next, since = moment()) => {
    if (since < state.asof) return;
    const same = equal(next, state.row);
    Object.assign(state, { row: next, asof: since });
    if (!same) draw(element, state, go, compact);
  };
  element.renew = () => { if (JSON.stringify(openAt(state.row)) !== JSON.stringify(state.case)) draw(element, state, go, compact); };
  Object.defineProperty(element, "held", { get: () => state.form !== null || state.listening || state.busy > 0 });
  Object.defineProperty(element, "row", { get: () => state.row });
  Object.defineProperty(element, "asof", { get: () => state.asof });
  draw(element, state, go, compact);
  return element;
}

/** Whether two rows say the same, in whatever order: a button drawn anew under a finger is not pressed. */
function equal(one, other) {
  return Object.keys({ ...one, ...other }).every((key) => JSON.stringify(one[key]) === JSON.stringify(other[key]));
}

function draw(element, state, go, compact) {
  const { row } = state;
  const again = () => draw(element, state, go, compact);
  element.dataset.look = row.verdict === "false-alarm" || row.held === "held" || row.held === "ended" ? "gone" : look(subject(row));
  element.dataset.held = row.held ?? "";
  element.dataset.subject = subject(row);
  const path = `/node/${encodeURIComponent(row.site)}/${encodeURIComponent(row.node)}`;
  const where = h("a.where", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, `${row.node} · ${row.site}`);
  if (state.listening && row.clips.length) state.player ??= clipPlayer(row.id);
  if (row.kind === "state" && JUDGED.includes(row.to_state)) state.located ??= located(row, go);
  state.case = openAt(row);
  const focused = element.querySelector(".actions button:focus");
  if (focused) state.focus = focused.className;
  fill(element, [
    h("div.first", null, badge(subject(row), false, row.verdict === "false-alarm"), row.quiet ? h("span.badge", { "data-look": "noisy" }, quiet(row)) : null, compact ? null : where, row.verdict ? verdict(row) : null,
      h("span.when", null, row.clock_synced ? null : h("span", { title: t("clock.wrong") }, "≈ "), timeElement(row.happened))),
    h("div.reason", null, sentence(row.reason)), meta(row),
    row.alert && !row.acknowledged && !row.quiet ? h("div.todo", null, t(`alert.do.${subject(row)}`)) : null,
    row.note ? h("div.note", null, `“${row.note}”`) : null,
    actions(state, again, go), state.located,
    state.trouble ? h("div.answer.bad", { role: "alert" }, state.trouble) : null,
    state.listening ? state.player : null, state.form,
  ].filter(Boolean));
  refocus(element, state);
}

/** A button that was drawn anew keeps the focus; where it is gone, its neighbour takes it. */
function refocus(element, state) {
  if (!state.focus || (document.activeElement && document.activeElement !== document.body)) { state.focus = null; return; }
  const buttons = [...element.querySelectorAll(".actions button:not(:disabled)")];
  const next = buttons.find((button) => button.className === state.focus) ?? buttons[0];
  if (!next || state.busy) return;
  next.focus({ preventScroll: true });
  state.focus = null;
}

/** What held an event back, a mute or a quiet time and what that is called, and what became of it. */
function quiet(row) {
  const became = row.held ?? "during";
  if (row.quiet === "mute") return t(`muted.${became}`);
  const [kind, ...title] = row.quiet.split(": ");
  return t(`quiet.held.${became}`, { what: title.length ? title.join(": ") : t(`quiet.kind.${kind}`) });
}

function meta(row) {
  const facts = [];
  if (row.kind === "state" && row.from_state !== row.to_state) facts.push(`${word(row.from_state)} → ${word(row.to_state)}`);
  if (row.score !== null) facts.push(`${t("score")} ${number(row.score, 2)}`);
  if (row.on_fraction !== null) facts.push(`${t("on.fraction")} ${number(row.on_fraction * 100)} %`);
  if (row.level !== null) facts.push(`${level(row.level)} dBFS`);
  facts.push(...row.faults.map((fault) => h("a.help", { href: `/help#fault-${fault}` }, t(`fault.${fault}`))));
  if (row.model) facts.push(row.model);
  if (row.seq) facts.push(`seq ${row.seq}`);
  return h("div.meta", null, facts.map((fact) => h("span", null, fact)));
}

function verdict(row) {
  const names = { leak: "leak", "false-alarm": "ok", unknown: "gone" };
  return h("span.badge", { "data-look": names[row.verdict], title: `${row.verdict_by}` }, t(`verdict.${row.verdict}`));
}

function actions(state, again, go) {
  const { row } = state;
  const buttons = [];
  if (row.alert && !row.acknowledged && me.operates) {
    buttons.push(h("button.primary.acknowledge", { disabled: state.busy, onclick: () => act(state, again, () => post(`/api/alerts/${row.id}/acknowledge`)) }, t("acknowledge")));
  }
  if (row.clips.some((kind) => kind.startsWith("audio/"))) {
    buttons.push(h("button.listen", { "aria-pressed": String(state.listening), onclick: () => { state.listening = !state.listening; again(); } }, t("listen")));
  } else if (row.evidence && me.operates) {
    buttons.push(h("button.fetch", { disabled: state.busy, onclick: () => act(state, again, async () => { const answer = await post(`/api/alerts/${row.id}/fetch`); state.listening = true; return answer; }) }, state.busy ? t("fetching") : t("fetch")));
  }
  if (me.operates && row.kind === "state" && JUDGED.includes(row.to_state)) {
    buttons.push(h("button.judge", { "aria-expanded": String(state.form !== null), onclick: () => { state.form = state.form ? null : form(state, again); again(); } }, t(row.verdict ? "verdict.change" : "verdict.give")));
  }
  if (row.kind === "state" && JUDGED.includes(row.to_state)) buttons.push(state.case ? going(state.case, go) : opener(row.site, row.node, go, row.id));
  if (row.acknowledged) buttons.push(h("span.seen", null, t("seen.by", { who: row.acknowledged_by }), " · ", timeElement(row.acknowledged)));
  return buttons.length ? h("div.actions", null, buttons) : null;
}

async function act(state, again, work) {
  state.busy += 1;
  state.trouble = null;
  again();
  try {
    Object.assign(state, { row: (await work()).row, asof: moment() });
  } catch (error) {
    state.trouble = sentence(error.message);
  }
  state.busy -= 1;
  again();
}

/** Made once when it is opened: what else happens to the entry leaves it alone. */
function form(state, again) {
  const { row } = state;
  const group = `verdict-${row.id}`;
  const choices = VERDICTS.map((key) => h("label", null,
    h("input", { type: "radio", name: group, value: key, checked: row.verdict === key, required: true }), t(`verdict.${key}`)));
  const material = h("select", null, MATERIALS.map((key) => h("option", { value: key, selected: row.material === key }, t(`material.${key || "unknown"}`))));
  const note = h("textarea", { rows: 1, maxlength: 2000, value: row.note });
  const save = h("button.primary", null, t("save"));
  return h("form.verdict", {
    onsubmit: (event) => {
      event.preventDefault();
      const chosen = event.target.querySelector("input:checked").value;
      save.disabled = true;
      act(state, again, () => judge(state, again, { verdict: chosen, note: note.value, material: material.value }))
        .finally(() => { save.disabled = false; });
    },
  }, h("fieldset", null, h("legend", null, t("verdict")), choices), h("label", null, t("material"), material),
  h("label", null, t("note"), note), save);
}

/** Save a verdict; then fetch the clip while the node still has it, for the next model to learn from. */
async function judge(state, again, words) {
  const answer = await post(`/api/alerts/${state.row.id}/verdict`, words);
  const { row } = answer;
  Object.assign(state, { row, asof: moment(), form: null, focus: "judge" });
  again();
  if (words.verdict === "unknown" || !row.evidence || row.clips.length) return answer;
  return post(`/api/alerts/${row.id}/fetch`).catch(() => ({ row: state.row }));
}

/** `span`: {since, until} in POSIX seconds, each of them only where it was chosen. */
export function page(filter, search, before, span = {}) {
  const query = new URLSearchParams({ filter, search, ...span });
  if (before) query.set("before", before);
  return get(`/api/alerts?${query}`);
}
