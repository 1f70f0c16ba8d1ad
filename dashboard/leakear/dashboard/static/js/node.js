// One node: what it hears and has heard, how it does, and what may be asked of it.
import { fill, get, h, say } from "./dom.js";
import { ago, local, number, span, t, timeElement, utc } from "./i18n.js";
import { me, nodeOf, now, on, watch } from "./store.js";
import { badge, learning, look, shown, silent, word } from "./states.js";
import { TimeChart } from "../charts/time_chart.js";
import { Waterfall } from "./spectrum.js";
import { entry, moment } from "./events.js";
import { acceptFloor, commands, notALeak } from "./commands.js";
import { nowPanel } from "../node/now.js";
import { nightsPanel } from "../nights/nights.js";
import { going, opener } from "../cases/cases.js";
import { learn } from "../cases/known.js";

/** What the colours of the states over time mean. */
const KEY = ["LEAK", "SENSOR_FAULT", "WARNING", "NOISY", "OK", "stale"];
const RANGES = [["1h", 3600], ["6h", 21600], ["24h", 86400], ["7d", 604800], ["30d", 2592000], ["1y", 31536000]];

export function nodePage(go, site, name) {
  const view = new NodeView(go, site, name);
  return { element: view.element, close: () => view.close(), title: `${name} · ${site}` };
}

class NodeView {
  constructor(go, site, name) {
    this.go = go;
    this.site = site;
    this.name = name;
    Object.assign(this, { seconds: 3600, live: [], history: null, asked: 0, came: [], urgent: [], listening: false, details: {} });
    this.build();
    this.ends = [
      on("fleet", () => this.load()),
      on("diff", ({ changed }) => this.breathe(changed)),
      on("details", (message) => { if (message.i === this.node?.i) { this.details = message; this.drawFacts(); } }),
      on("spectrum", (message) => this.waterfall.add(message)),
      on("events", ({ rows }) => this.news(rows)),
      on("case", () => this.load()),
      on("alert", ({ row }) => this.entries.get(row.id)?.show(row)),
    ];
    this.clock = setInterval(() => { this.drawHead(); this.drawCharts(); }, 2000);
    this.refresh = setInterval(() => this.load(), 60000);
    watch([site, name], false);
    this.load();
  }

  get node() { return nodeOf(this.site, this.name); }

  close() {
    this.ends.forEach((end) => end());
    clearInterval(this.clock);
    clearInterval(this.refresh);
    watch(null);
    this.nights.close();
  }

  build() {
    const { go } = this;
    this.headline = h("div.titles");
    this.now = nowPanel();
    this.accept = acceptFloor(this.site, this.name);
    this.fixed = [h("a.crumb", { href: "/", onclick: (e) => { e.preventDefault(); go("/"); } }, `‹ ${t("fleet")}`),
      h("h1", null, this.name, " ", h("span.dim", null, this.site))];
    this.notALeak = notALeak(this.site, this.name);
    this.nights = nightsPanel(this.site, this.name);
    this.opener = opener(this.site, this.name, go);
    this.scores = new TimeChart({ lines: [{ name: "score", ink: "--score", label: t("score") }], band: ["score", "score_max"], range: [0, 1], format: (v) => number(v, 2), label: t("chart.score") });
    this.levels = new TimeChart({
      lines: [{ name: "level", ink: "--level", label: t("level"), unit: " dBFS" }, { name: "floor", ink: "--floor", label: t("floor"), unit: " dBFS" }],
      band: ["level_min", "level_max"], range: null, format: (v, exact) => number(v, exact ? 1 : 0), label: t("chart.level"),
    });
    this.strip = h("div.strip", { role: "img", "aria-label": t("timeline") });
    new ResizeObserver(() => this.drawCharts()).observe(this.strip);
    this.waterfall = new Waterfall();
    this.listenButton = h("button.watch", { "aria-pressed": "false", onclick: () => this.listen() }, t("spectrum.start"));
    this.waterfall.element.hidden = true;
    this.facts = h("dl.facts");
    this.log = h("div.log");
    this.silence = h("p.dim", null, t("events.none"));
    this.entries = new Map();
    this.ranges = RANGES.map(([key, seconds]) => h("button", { "aria-pressed": String(seconds === this.seconds), onclick: () => this.reach(seconds) }, t(`range.${key}`)));
    const legend = (...items) => h("span.legend", null, items.map(([key, ink, dash]) => { const e = h("span", { "data-dash": dash }, t(key)); e.style.setProperty("--c", `var(${ink})`); return e; }));
    const left = h("div", null,
      h("section.panel", null, h("div.head", null, h("h2", null, t("score")), h("div.segmented.ranges", { role: "group", "aria-label": t("range") }, this.ranges), legend(["score", "--score"], ["threshold", "--leak-edge", true])),
        this.scores.element, h("h2", null, t("timeline")), this.strip, h("div.key", null, KEY.map((name) => badge(name)))),
      h("section.panel", null, h("div.head", null, h("h2", null, t("level")), legend(["level", "--level"], ["floor", "--floor"])), this.levels.element),
      this.nights.element,
      h("section.panel", null, h("div.head", null, h("h2", null, t("spectrum.live")), h("span.spring"), this.listenButton), this.waterfall.element),
      h("section.panel", null, h("h2", null, t("events")), this.log));
    const right = h("div", null,
      h("section.panel", null, h("h2", null, t("facts")), this.facts),
      me.operates ? h("section.panel", null, h("h2", null, t("commands")), commands(this.site, this.name, () => this.node, go)) : null);
    this.element = h("main", { id: "main" }, h("div.page", null, h("div.inner", null, this.headline, this.now.element, h("div.columns", null, left, right))));
  }

  reach(seconds) {
    this.seconds = seconds;
    RANGES.forEach(([, s], i) => this.ranges[i].setAttribute("aria-pressed", String(s === seconds)));
    this.load();
  }

  listen() {
    this.listening = !this.listening;
    this.listenButton.setAttribute("aria-pressed", String(this.listening));
    say(this.listenButton, t(this.listening ? "spectrum.stop" : "spectrum.start"));
    this.waterfall.element.hidden = false;
    watch([this.site, this.name], this.listening);
  }

  async load() {
    const path = `/api/nodes/${encodeURIComponent(this.site)}/${encodeURIComponent(this.name)}/history?seconds=${this.seconds}`;
    const asof = this.asked = moment();
    this.came = [];
    const history = await get(path);
    if (asof !== this.asked) return;
    this.history = history;
    const mine = { site: this.site, node: this.name };
    learn([mine], history.case ? [{ ...history.case, ...mine }] : []);
    this.live = this.live.filter((point) => point.t > this.history.now);
    this.history.events.forEach((row) => this.entries.get(row.id)?.show(row, asof));
    this.history.events.push(...this.history.open.filter((row) => !this.history.events.some((known) => known.id === row.id)));
    this.add(this.came, asof);
    this.entries.forEach((element) => element.renew());
    this.drawHead();
    this.drawCharts();
    this.drawFacts();
  }

  breathe(changed) {
    const { node } = this;
    if (!node || !changed.has(node)) return;
    this.live.push({ t: node.seen ?? now(), score: node.score, level: node.level, floor: node.floor });
    if (this.live.length > 4000) this.live.splice(0, 1000);
    this.drawHead();
    this.drawCharts();
  }

  news(rows) {
    const mine = rows.filter((r) => r.site === this.site && r.node === this.name);
    this.came.unshift(...mine);
    if (this.history) this.add(mine);
  }

  /** Put events that have just come before those of the history, unless it has them already. */
  add(rows, asof) {
    const known = new Set(this.history.events.map((row) => row.id));
    this.history.events.unshift(...rows.filter((row) => !known.has(row.id)));
    this.remember(this.history.events, asof);
  }

  /** The log, the newest first; an entry in whose form somebody writes stays, whatever the span. */
  remember(rows, asof) {
    const held = [...this.entries].filter(([, element]) => element.held);
    const known = rows.map((row) => [row.id, this.entries.get(row.id) ?? entry(row, { go: this.go, compact: true, asof })]);
    this.entries = new Map([...known, ...held]);
    this.urgent = [...this.entries.values()].filter((element) => element.row.alert && !element.row.acknowledged);
    this.now.show(this.node, this.urgent, this.accept);
    const rest = [...this.entries.values()].filter((element) => !this.urgent.includes(element));
    fill(this.log, rest.length ? rest : [this.silence]);
  }

  drawHead() {
    const { node } = this;
    this.now.show(node, this.urgent, this.accept);
    const stamp = JSON.stringify([this.history?.case, node?.judged, node?.quiet, node?.remote, node?.state, node?.presence, node?.faults, node?.muted, node?.asleep, ago(node?.seen, now()), node?.complaint, node?.learning]);
    if (stamp === this.headStamp) return;
    this.headStamp = stamp;
    this.element.dataset.case = this.history?.case ? "yes" : "no";
    const parts = [...this.fixed];
    if (!node) parts.push(h("span.dim", null, t("node.unknown")));
    else {
      const name = shown(node);
      parts.push(badge(name, true));
      if (name !== node.presence && silent(node)) parts.push(badge(node.presence));
      const since = name === node.presence && silent(node) ? node.seen : node.since;
      if (since) parts.push(h("span.dim", { title: utc(since) }, t("since", { when: local(since) })));
      parts.push(...node.faults.map((fault) => h("a.chip", { href: `/help#fault-${fault}`, title: t(`remedy.${fault}`) }, t(`fault.${fault}`))));
      if (node.learning) parts.push(h("span.chip.note", null, learning(node)));
      if (me.operates && !node.judged && (node.state === "WARNING" || node.state === "LEAK")) parts.push(this.notALeak);
      if (node.presence === "asleep") parts.push(h("span.chip.note", { title: utc(node.asleep) }, t("asleep.until", { when: local(node.asleep) })));
      if (node.muted > now()) parts.push(h("span.chip.note", { title: utc(node.muted) }, t("muted.until", { when: local(node.muted) })));
      if (node.complaint) parts.push(h("span.chip", { title: node.complaint }, t("malformed")));
      const caseOf = this.history?.case ? going(this.history.case, this.go) : this.opener;
      if (caseOf) parts.push(caseOf);
      parts.push(h("span.dim", null, t("seen.ago", { when: ago(node.seen, now()) })));
    }
    fill(this.headline, parts);
  }

  drawCharts() {
    if (!this.history) return;
    const { series, recent } = this.history;
    const until = now();
    const since = until - this.seconds;
    const data = { t: [], score: [], score_max: [], level: [], level_min: [], level_max: [], floor: [] };
    const put = (time, point) => { data.t.push(time); for (const key in data) if (key !== "t") data[key].push(point[key] ?? null); };
    const joint = recent && this.seconds <= 21600 ? recent.start : Infinity;
    series.start.forEach((start, i) => {
      if (start + series.seconds / 2 < joint) put(start + series.seconds / 2, Object.fromEntries(Object.keys(data).map((key) => [key, series[key]?.[i]])));
    });
    if (joint < Infinity) recent.score.forEach((_, i) => put(recent.start + (i + 0.5) * recent.seconds, { score: recent.score[i], level: recent.level[i], floor: recent.floor[i] }));
    if (this.seconds <= 86400) this.live.forEach((point) => put(point.t, point));
    this.scores.threshold = this.node?.threshold ?? null;
    const gap = Math.max(series.seconds * 2.5, 190);
    this.scores.show(data, since, until, gap);
    this.levels.show(data, since, until, gap);
    this.drawStrip(since, until, data.t.find((_, i) => data.score[i] !== null || data.level[i] !== null) ?? until);
  }

  /** States over time; what matters more stands higher, so that colour alone need not tell. */
  drawStrip(since, until, firstTime) {
    const changes = this.history.events.filter((e) => e.kind === "state" || e.kind === "lost" || e.kind === "back").reverse();
    const spans = [];
    let state = this.history.before ?? changes.find((e) => e.kind === "state")?.from_state ?? this.node?.state ?? "UNKNOWN";
    const known = this.history.before ? since : Math.min(changes[0]?.happened ?? until, firstTime);
    let [from, gone] = [Math.max(since, known), false];
    for (const event of changes) {
      spans.push([from, event.happened, gone ? "stale" : state]);
      if (event.kind === "state") state = event.to_state;
      gone = event.kind === "lost";
      from = event.happened;
    }
    spans.push([from, until, gone ? "stale" : state]);
    const stamp = this.strip.clientWidth + spans.map(([a, b, s]) => `${Math.round((a - since) / this.seconds * 400)} ${Math.round((b - since) / this.seconds * 400)} ${s}`).join();
    if (stamp === this.stripStamp) return;
    this.stripStamp = stamp;
    this.strip.replaceChildren(...spans.filter(([a, b]) => b > since && b > a).map(([a, b, name]) => {
      const wide = (b - a) / (until - since) * this.strip.clientWidth > 70;
      const title = `${word(name)} · ${local(a)} – ${local(b)} (${span(b - a)})\n${utc(a)} – ${utc(b)}`;
      const element = h("div.span", { "data-look": look(name), title }, wide && look(name) !== "gone" ? word(name) : "");
      element.style.left = `${Math.max(0, (a - since) / (until - since)) * 100}%`;
      element.style.width = `${(b - Math.max(a, since)) / (until - since) * 100}%`;
      return element;
    }));
  }

  drawFacts() {
    const { report, telemetry: health, gaps = [] } = this.details;
    const { node } = this;
    const rows = [];
    const put = (key, value, bad = false) => { if (value !== null && value !== undefined && value !== "") rows.push(h("dt", null, t(`fact.${key}`)), h(bad ? "dd.bad" : "dd", null, value)); };
    const size = (bytes) => (bytes < 2 ** 30 ? `${number(bytes / 2 ** 20, 1)} MiB` : `${number(bytes / 2 ** 30, 1)} GiB`);
    if (node) put("queue", number(node.queue), node.waits > 0);
    put("missing", gaps.length ? gaps.map(([a, b]) => (a === b ? a : `${a}–${b}`)).join(", ") : null, true);
    if (report) {
      put("model", h("span.mono", { title: report.model.sha256 }, report.model.id));
      const trial = node?.trial;
      if (trial) put(trial.decides ? "watched" : "trial", h("span", { "data-trial": trial.model }, trial.decides ? "" : `${trial.model}, `, timeElement(trial.until)));
      put("firmware", report.firmware);
      put("threshold", `${number(report.threshold, 2)}${report.threshold_from ? `, ${t(`threshold.${report.threshold_from}`)}` : ""}`);
      if (report.learning) put("nights", number(report.learning.nights_known));
      if (report.limit_db !== null && report.limit_db !== undefined) put("limit", `${number(report.limit_db, 1)} dB`);
      const wish = this.element.querySelector("input[name=threshold]");
      if (wish) wish.placeholder = number(report.threshold, 2);
      put("window", `${number(report.window_s, 0)} s / ${number(report.step_s, 1)} s`);
      put("clock", t(report.clock_synced ? "yes" : "no"), !report.clock_synced);
    }
    if (health) {
      put("drift", health.noise_floor_drift_db === null ? null : `${number(health.noise_floor_drift_db, 1)} dB`);
      put("uptime", span(health.uptime_s));
      put("windows", number(health.windows_scored));
      put("dropped", number(health.windows_dropped), health.windows_dropped > 0);
      put("discarded", number(health.windows_discarded));
      put("overruns", number(health.overruns));
      put("reconnects", number(health.reconnects));
      put("load", health.real_time_factor === null ? null : `${number(health.real_time_factor * 100, 1)} %`, health.real_time_factor > 0.9);
      put("temperature", health.temperature_c === null ? null : `${number(health.temperature_c, 0)} °C`, health.temperature_c > 80);
      put("disk", health.disk_free_bytes === null ? null : size(health.disk_free_bytes));
      put("memory", health.rss_bytes === null ? null : size(health.rss_bytes));
      put("certificate", health.certificate_expires ? timeElement(Date.parse(health.certificate_expires) / 1000) : null);
    }
    this.facts.replaceChildren(...(rows.length ? rows : [h("dt", null, t("facts.none"))]));
  }
}
