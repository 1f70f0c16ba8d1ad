// The nights of one node over months: level and spread, alerts, repairs and lasting rises marked; a histogram a night.
import { get, h, say } from "../js/dom.js";
import { language, local, number, t } from "../js/i18n.js";
import { on } from "../js/store.js";
import { TimeChart } from "../charts/time_chart.js";

const RANGES = [["30d", 30], ["90d", 90], ["1y", 366], ["3y", 1098]];
const DAY = 86400;

export function nightsPanel(site, name) {
  const state = { days: 90, data: null, chosen: null, turn: 0 };
  const chart = new TimeChart({
    lines: [{ name: "level", ink: "--level", label: t("level"), unit: " dBFS" }],
    band: ["level", "upper"], range: null, format: (v, exact) => number(v, exact ? 1 : 0), label: t("nights.chart"),
    pick: (i) => choose(state.data?.nights[i] ?? null),
  });
  const verdict = h("p.nights-verdict", { role: "status" });
  const ranges = RANGES.map(([key, days]) => h("button", { "aria-pressed": String(days === state.days), onclick: () => reach(days) }, t(`range.${key}`)));
  const key = (name, ink, dash) => { const e = h("span", { "data-dash": dash }, t(name)); e.style.setProperty("--c", `var(${ink})`); return e; };
  const picker = h("select", { "aria-label": t("nights.choose"), onchange: () => choose(state.data.nights[Number(picker.value)] ?? null) });
  const detail = h("div.night-detail");
  const element = h("section.panel.nights", null,
    h("div.head", null, h("h2", null, t("nights")), h("div.segmented.ranges", { role: "group", "aria-label": t("range") }, ranges),
      h("span.legend", null, key("nights.level", "--level"), key("nights.alert", "--leak-edge", true), key("nights.repair", "--ok-edge", true), key("nights.rise", "--warning-edge", true), key("quiet", "--noisy-edge"))),
    verdict, chart.element, h("label.night-choice", null, t("nights.one"), picker), detail);
  const ends = [
    on("nights", ({ nodes }) => { if (nodes.some(([s, n]) => s === site && n === name)) load(); }),
    on("fleet", () => load()),
    on("case", () => load()),
  ];

  function reach(days) {
    state.days = days;
    RANGES.forEach(([, each], i) => ranges[i].setAttribute("aria-pressed", String(each === days)));
    load();
  }

  async function load() {
    const turn = ++state.turn;
    const path = `/api/nodes/${encodeURIComponent(site)}/${encodeURIComponent(name)}/nights?days=${state.days}`;
    const data = await get(path);
    if (turn !== state.turn) return;
    state.data = data;
    draw();
  }

  function draw() {
    const { nights, alarms, rises, repairs = [] } = state.data;
    const middle = nights.map((night) => (night.first + night.last) / 2);
    chart.marks = [
      ...alarms.map((alarm) => ({ at: alarm.happened, ink: alarm.state === "LEAK" ? "--leak-edge" : "--warning-edge" })),
      ...repairs.map((at) => ({ at, ink: "--ok-edge" })),
    ];
    chart.spans = [
      ...rises.map((rise) => ({ from: rise.first, to: rise.last, ink: "--warning-edge" })),
      ...nights.filter((night) => night.quiet).map((night) => ({ from: night.first - DAY / 3, to: night.last + DAY / 3, ink: "--noisy-edge" })),
    ];
    chart.show({
      t: middle, level: nights.map((night) => night.level),
      upper: nights.map((night) => (night.level === null ? null : night.level + (night.spread ?? 0))),
    }, state.data.since, state.data.now, 2.5 * DAY);
    element.dataset.nights = String(nights.length);
    element.dataset.rises = String(rises.length);
    element.dataset.marks = String(chart.marks.length);
    const quiet = nights.filter((night) => night.quiet).length;
    say(verdict, quiet ? `${words()} ${t("nights.quiet", { count: number(quiet) })}` : words());
    picker.replaceChildren(...nights.map((night, i) => h("option", { value: String(i) }, day(night.date))).reverse());
    const again = nights.find((night) => night.date === state.chosen);
    choose(again ?? nights.at(-1) ?? null);
  }

  /** What the nights say, since when and how sure: one sentence. */
  function words() {
    const { known, rising, rises } = state.data;
    if (!known) return t("nights.none");
    if (!rising || !rises.length) return t("nights.calm", { nights: number(known) });
    const rise = rises.at(-1);
    return t("nights.rising", { since: day(rise.since), by: number(rise.by, 1), sure: sure(rise.false_per_year) });
  }

  function choose(night) {
    state.chosen = night?.date ?? null;
    if (night) picker.value = String(state.data.nights.indexOf(night));
    picker.parentElement.hidden = !night;
    detail.replaceChildren(...(night ? [facts(night), histogram(night)].filter(Boolean) : []));
  }

  load();
  return { element, close: () => ends.forEach((end) => end()) };
}

/** How often a rise as strong begins without a leak. */
export function sure(perYear) {
  if (perYear <= 0.001) return t("sure.most");
  return perYear < 1 ? t("sure.rare", { years: number(1 / perYear, perYear > 0.1 ? 1 : 0) }) : t("sure.often", { times: number(perYear, 1) });
}

function day(text) {
  return new Date(`${text}T12:00:00`).toLocaleDateString(language, { dateStyle: "medium" });
}

function facts(night) {
  const rows = [];
  const put = (key, value) => { if (value !== null && value !== undefined) rows.push(h("dt", null, t(`night.${key}`)), h("dd", null, value)); };
  put("hours", night.hours);
  put("ended", local(night.last));
  put("level", night.level === null ? t("night.deaf") : `${number(night.level, 1)} dBFS`);
  put("spread", night.spread === null ? null : `${number(night.spread, 1)} dB`);
  put("steadiness", night.steadiness === null ? null : `${number(100 * night.steadiness)} %`);
  put("hz", night.hz === null ? null : `${number(night.hz)} Hz`);
  put("quiet", night.quiet ? t(`quiet.kind.${night.quiet}`) : null);
  put("judged", `${number(100 * night.judged)} %`);
  put("excess", night.excess === null ? null : `${number(night.excess, 1)} dB`);
  put("limit", night.limit === null ? null : `${number(night.limit, 1)} dB`);
  return h("dl.facts", null, rows);
}

/** Windows in each dB, as bars; the numbers are in the text, too. */
function histogram(night) {
  if (!night.histogram.length) return null;
  const most = Math.max(...night.histogram);
  const bars = night.histogram.map((count, i) => {
    const from = night.histogram_from + i;
    const bar = h("span", { title: `${from} – ${from + 1} dBFS: ${number(count)}` });
    bar.style.height = `${(100 * count) / most}%`;
    return bar;
  });
  const low = night.histogram_from;
  const label = t("night.histogram", { low, high: low + night.histogram.length, windows: number(night.histogram.reduce((a, b) => a + b, 0)) });
  return h("figure.histogram", null, h("div.bars", { role: "img", "aria-label": label }, bars), h("figcaption", null, label));
}
