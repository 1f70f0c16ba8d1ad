// The log of alerts.
import { address, fill, h, post, get, say } from "./dom.js";
import { t } from "./i18n.js";
import { me, on, unknown } from "./store.js";
import { shape } from "./states.js";
import { entry, moment, page } from "./events.js";
import { learn, note } from "../cases/known.js";

/** Milliseconds between two questions for the number of open alerts. */
const PAUSE_MS = 1000;
const FILTERS = ["open", "leaks", "alerts", "judged", "all"];

export function alertsPage(go) {
  const state = { filter: "open", search: "", rows: new Map(), oldest: null };
  const log = h("div.log", { "aria-live": "polite" });
  const more = h("button", { hidden: true, onclick: () => load(true) }, t("more"));
  const nothing = h("div.empty", { hidden: true });
  const tabs = FILTERS.map((key) => h("button", {
    "aria-pressed": String(key === state.filter), "data-filter": key,
    onclick: () => { state.filter = key; tabs.forEach((tab) => tab.setAttribute("aria-pressed", String(tab.dataset.filter === key))); load(); },
  }, t(`filter.${key}`)));
  let timer = 0;
  const box = h("input", { type: "search", placeholder: t("alerts.search"), "aria-label": t("alerts.search"),
    oninput: () => { clearTimeout(timer); timer = setTimeout(() => { state.search = box.value; load(); }, 250); } });
  const day = (name) => h("input", { type: "date", name, onchange: () => load() });
  const range = { since: day("since"), until: day("until") };
  const csv = h("a.button", { href: "/api/reports/alarms.csv", download: "", onclick: () => { csv.href = address(`/api/reports/alarms.csv?${new URLSearchParams(chosen())}`); } }, t("csv"));
  const exporting = me.operates ? h("a.button.export", { href: "/api/export", download: "", title: t("export.hint") }, t("export")) : null;
  const element = h("main", { id: "main" }, h("div.page", null, h("div.inner", null,
    h("div.titles", null, h("h1", null, t("alerts")), h("div.segmented", { role: "group", "aria-label": t("filter") }, tabs), box,
      h("label.inline", null, t("since.day"), range.since), h("label.inline", null, t("until.day"), range.until), h("span.spring"), csv, exporting),
    log, nothing, more)));
  let asked = 0;

  async function load(further = false) {
    const turn = ++asked;
    const asof = moment();
    const { rows, cases } = await page(state.filter, state.search, further ? state.oldest : null, chosen());
    if (turn !== asked) return;
    learn(rows, cases);
    if (!further) leave(new Set(rows.map((row) => row.id)), asof);
    put(rows, asof);
    renew();
    state.oldest = rows.at(-1)?.id ?? state.oldest;
    more.hidden = rows.length < 100;
  }

  /** Show the open case at each entry. `one`: what has changed; null: it is not known which. */
  async function follow(one) {
    if (one) note(one);
    else {
      const { rows, cases } = await page(state.filter, state.search, null, chosen());
      learn(rows, cases);
    }
    renew();
  }

  function renew() {
    state.rows.forEach((element) => element.renew());
  }

  /** Drop what is not in the answer, but never an entry in whose form somebody writes, nor what the answer is too old for. */
  function leave(ids, asof) {
    for (const [id, element] of state.rows) {
      const newer = element.asof > asof && fitting(element.row);
      if (!ids.has(id) && !element.held && !newer) state.rows.delete(id);
    }
  }

  /** The days that were chosen, as POSIX seconds; the last day counts as a whole. @returns {Record<string, any>} */
  function chosen() {
    const span = {};
    if (range.since.value) span.since = new Date(`${range.since.value}T00:00`).getTime() / 1000;
    if (range.until.value) span.until = new Date(`${range.until.value}T00:00`).getTime() / 1000 + 86400;
    return span;
  }

  function fitting(row) {
    return !state.search && !range.since.value && !range.until.value && fits(row, state.filter);
  }

  /** Show these rows, the newest of all first. */
  function put(rows, asof) {
    for (const row of rows) {
      if (state.rows.has(row.id)) state.rows.get(row.id).show(row, asof);
      else state.rows.set(row.id, Object.assign(entry(row, { go, asof }), { time: row.happened }));
    }
    fill(log, [...state.rows.values()].sort((a, b) => b.time - a.time || (b.dataset.id > a.dataset.id ? 1 : -1)));
    nothing.hidden = state.rows.size > 0;
    if (!nothing.hidden) blank();
  }

  /** All is quiet only while the broker is heard, and only where nothing was filtered away. */
  function blank() {
    const why = unknown();
    const chosen = state.filter !== "open" || state.search || range.since.value || range.until.value;
    nothing.dataset.known = String(!why);
    nothing.replaceChildren(shape(why ? "UNKNOWN" : "OK"), h("p", null, why ?? t(chosen ? "alerts.nothing" : "alerts.none")));
  }

  const ends = [
    on("alert", ({ row }) => state.rows.get(row.id)?.show(row)),
    // An event comes as it was at first: what the log already shows of it is at least as new.
    on("events", ({ rows }) => put(rows.filter((row) => fitting(row) && !state.rows.has(row.id)))),
    on("fleet", () => load()),
    on("case", ({ case: one }) => follow(one)),
    on("line", () => { if (!nothing.hidden) blank(); }),
  ];
  load();
  return { element, close: () => ends.forEach((end) => end()), title: t("alerts") };
}

function fits(row, filter) {
  if (filter === "all") return true;
  if (filter === "judged") return Boolean(row.verdict);
  return row.alert && (filter !== "leaks" || row.to_state === "LEAK");
}

/** The number of open alerts beside the link. */
export function counter() {
  const element = h("span.count");
  let [asked, shown] = [0, 0];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later;
  let last = -PAUSE_MS;
  /** At once, but in a storm of events once a second. */
  const refresh = () => {
    clearTimeout(later);
    const wait = last + PAUSE_MS - performance.now();
    if (wait > 0) later = setTimeout(ask, wait); else ask();
  };
  const ask = async () => {
    last = performance.now();
    const turn = ++asked;
    const { counts } = await get("/api/me");
    if (turn < shown) return;
    shown = turn;
    say(element, counts.open ? String(counts.open) : "");
  };
  on("alert", refresh);
  on("events", refresh);
  on("fleet", refresh);
  return element;
}

export function acknowledge(id) {
  return post(`/api/alerts/${id}/acknowledge`);
}
