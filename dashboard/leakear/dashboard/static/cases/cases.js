// Cases: what to do next where, and how it went so far.
import { get, h, post } from "../js/dom.js";
import { number, span, t, timeElement } from "../js/i18n.js";
import { me, now, on } from "../js/store.js";

export const LOOK = { open: "leak", assigned: "warning", visited: "warning", repaired: "noisy", verified: "ok", closed: "gone" };

export function casesPage(go) {
  const state = { filter: "open", turn: 0 };
  const list = h("div.log");
  const nothing = h("div.empty", { hidden: true }, h("p", null, t("cases.none")));
  const figures = h("dl.facts");
  const tabs = ["open", "all"].map((key) => h("button", {
    "aria-pressed": String(key === state.filter), "data-filter": key,
    onclick: () => { state.filter = key; tabs.forEach((tab) => tab.setAttribute("aria-pressed", String(tab.dataset.filter === key))); load(); },
  }, t(`cases.${key}`)));
  const element = h("main", { id: "main" }, h("div.page", null, h("div.inner", null,
    h("div.titles", null, h("h1", null, t("cases")), h("div.segmented", { role: "group", "aria-label": t("filter") }, tabs)),
    h("div.columns", null, h("div", null, list, nothing), h("div", null, h("section.panel", null, h("h2", null, t("figures")), figures))))));
  const ends = [on("case", () => load()), on("fleet", () => load())];

  async function load() {
    const turn = ++state.turn;
    const data = await get(`/api/cases?filter=${state.filter}`);
    if (turn !== state.turn) return;
    list.replaceChildren(...data.cases.map((one) => row(one, go)));
    nothing.hidden = data.cases.length > 0;
    figures.replaceChildren(...facts(data.figures));
  }

  load();
  return { element, close: () => ends.forEach((end) => end()), title: t("cases") };
}

function row(one, go) {
  const path = `/cases/${one.id}`;
  return h("article.entry.case", { "data-id": one.id, "data-status": one.status, "data-look": LOOK[one.status] },
    h("div.first", null, status(one),
      h("a.where", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, `${one.node} · ${one.site}`),
      h("span.when", null, timeElement(one.opened))),
    h("div.reason", null, next(one)),
    one.priority ? h("div.priority", { "data-points": one.priority.points }, h("strong", null, t("priority", { points: number(one.priority.points) })), " ", one.priority.reasons.map(([key, values]) => t(`priority.${key}`, figures(values))).join("; ")) : null,
    h("div.meta", null, [one.priority ? null : t("case.since.for", { span: span(now() - one.since) }), one.assigned_to && t("case.with", { who: one.assigned_to }), one.position].filter(Boolean).map((fact) => h("span", null, fact))));
}

export function status(one) {
  return h("span.badge", { "data-look": LOOK[one.status] }, t(`case.status.${one.status}`));
}

/** The values of a reason, in the reader's figures. */
function figures(values) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, number(value, Number.isInteger(value) ? 0 : 1)]));
}

/** What to do now, in one sentence. */
export function next(one) {
  return t(`case.next.${one.status}`, { who: one.assigned_to });
}

function facts(known) {
  const rows = [];
  const put = (key, value) => { if (value !== null && value !== undefined) rows.push(h("dt", null, t(`figure.${key}`)), h("dd", { "data-figure": key }, value)); };
  put("open", number(known.open));
  put("visited", known.visited ? t("figure.found.of", { found: number(known.found), visited: number(known.visited) }) : null);
  put("precision", known.precision === null ? null : `${number(100 * known.precision)} %`);
  put("time_to_visit", known.time_to_visit === null ? null : span(known.time_to_visit));
  put("time_to_repair", known.time_to_repair === null ? null : span(known.time_to_repair));
  put("water", known.water === null ? null : water(known.water));
  put("reopened", known.reopened ? number(known.reopened) : null);
  for (const [kind, count] of Object.entries(known.false_by_kind)) rows.push(h("dt", null, t(`outcome.${kind}`)), h("dd", null, number(count)));
  for (const [node, count] of Object.entries(known.false_by_node).slice(0, 5)) rows.push(h("dt", null, t("figure.false", { node })), h("dd", null, number(count)));
  return rows;
}

/** m³, with its range. */
export function water([low, high]) {
  const digits = high < 100 ? 1 : 0;
  return low === high ? `${number(low, digits)} m³` : `${number(low, digits)} – ${number(high, digits)} m³`;
}

/** The case that is open at a node: how far it is, and who has it. */
export function going(one, go) {
  const path = `/cases/${one.id}`;
  const how = one.assigned_to ? `${t(`case.status.${one.status}`)}, ${t("case.with", { who: one.assigned_to })}` : t(`case.status.${one.status}`);
  return h("a.button.going", { href: path, "data-status": one.status, onclick: (e) => { e.preventDefault(); go(path); } }, t("case.going", { how }));
}

/** A button that opens a case at a node by hand, or shows the one that is open. */
export function opener(site, node, go, eventId = null) {
  if (!me.operates) return null;
  return h("button.open-case", { onclick: async (event) => {
    event.target.disabled = true;
    try {
      const { case: one } = await post("/api/cases", { request: crypto.randomUUID?.() ?? String(Math.random()).slice(2), site, node, event_id: eventId });
      go(`/cases/${one.id}`);
    } finally { event.target.disabled = false; }
  } }, t("case.open"));
}
