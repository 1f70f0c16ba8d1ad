// One pipe: locate on it, what was found, and its nights laid over each other.
import { fill, get, h, post, say } from "../dom.js";
import { local, number, sentence, t, timeElement } from "../i18n.js";
import { follow, me, nodeOf, on } from "../store.js";
import { badge, shown } from "../states.js";
import { pipeForm } from "./form.js";
import { pipeName } from "./known.js";
import { curves, intervals, pipeDrawing } from "./plots.js";
import { span, summary } from "./words.js";

const LENGTHS = [10, 30, 60];
/** Results whose correlations are laid over each other. */
const LAID = 7;
/** Results whose intervals are drawn one under the other. */
const ROWS = 20;

export function pipePage(go, id) {
  const view = new PipeView(go, id);
  return { element: view.element, close: () => view.close(), title: t("pipes") };
}

class PipeView {
  constructor(go, id) {
    this.go = go;
    this.id = id;
    this.curves = new Map();
    this.asked = 0;
    Object.assign(this, { pipe: null, rows: [], chosen: null, editing: false });
    this.headline = h("div.titles");
    this.trouble = h("div.answer.bad", { role: "alert", hidden: true });
    this.job = h("section.panel.job", { hidden: true, "aria-live": "polite" });
    this.form = h("div");
    this.result = h("section.panel.result", { "aria-live": "polite", hidden: true });
    this.nights = h("section.panel.nights", { hidden: true });
    this.list = h("section.panel", { hidden: true });
    this.element = h("main", { id: "main" }, h("div.page.printed", null, h("div.inner", null, this.headline, this.trouble, this.form, this.job, this.result, this.nights, this.list)));
    this.ends = [
      on("fleet", () => this.load()),
      on("pipes", () => this.load()),
      on("location", ({ row }) => { if (row.pipe === id) this.take(row); }),
      on("diff", ({ heads }) => { if (heads) this.drawHead(); }),
    ];
    this.load();
  }

  close() { this.ends.forEach((end) => end()); }

  get running() { return this.rows.find((row) => !ended(row)); }

  async load() {
    const turn = ++this.asked;
    let answer;
    try {
      answer = await get(`/api/pipes/${encodeURIComponent(this.id)}`);
    } catch (error) {
      if (error.status === 404) { this.say(error.message); return; }
      throw error;
    }
    if (turn !== this.asked) return;
    this.pipe = answer.pipe;
    this.rows = answer.locations;
    this.chosen = this.rows.find((row) => row.id === this.chosen?.id) ?? this.rows.find(ended) ?? null;
    await this.fetchCurves();
    if (turn === this.asked) this.draw();
  }

  /** A job of this pipe moved: its progress at once; when it has ended, everything. */
  take(row) {
    const at = this.rows.findIndex((one) => one.id === row.id);
    if (ended(this.rows[at]) && !ended(row)) return; // an answer that was on its way while the job ended
    if (at < 0) this.rows.unshift(row); else this.rows[at] = row;
    if (ended(row)) { this.chosen = row; this.load(); } else { this.drawHead(); this.drawJob(); }
  }

  async fetchCurves() {
    const wanted = [this.chosen, ...this.rows.filter((row) => row.state === "done").slice(0, LAID)].filter((row) => row?.state === "done" && !this.curves.has(row.id));
    await Promise.all(wanted.map(async (row) => this.curves.set(row.id, (await get(`/api/locations/${row.id}`)).curves)));
  }

  async choose(row) {
    this.chosen = row;
    await this.fetchCurves();
    this.drawResult();
    this.drawList();
  }

  say(text) {
    say(this.trouble, sentence(text));
    this.trouble.hidden = !text;
  }

  draw() {
    this.drawHead();
    this.drawJob();
    this.drawResult();
    this.drawNights();
    this.drawList();
  }

  async act(work) {
    this.say("");
    try { await work(); } catch (error) { this.say(error.message); }
  }

  drawHead() {
    const { pipe, go } = this;
    if (!pipe) return;
    follow([[pipe.site_a, pipe.node_a], [pipe.site_b, pipe.node_b]]);
    const states = [[pipe.site_a, pipe.node_a], [pipe.site_b, pipe.node_b]].map(([site, name]) => nodeOf(site, name));
    const stamp = JSON.stringify([pipe, states.map((node) => node && shown(node)), Boolean(this.running)]);
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    const seconds = h("select", { name: "seconds", "aria-label": t("locate.seconds") }, LENGTHS.map((n) => h("option", { value: n, selected: n === 30 }, `${n} s`)));
    const start = () => this.act(async () => this.take((await post(`/api/pipes/${pipe.id}/locate`, { seconds: Number(seconds.value) })).location));
    const controls = me.operates ? [seconds, h("button.primary.locate", { disabled: Boolean(this.running), onclick: start }, t("locate")),
      h("button.edit", { "aria-expanded": String(this.editing), onclick: () => this.edit() }, t("pipe.change")), this.removeButton()] : [];
    fill(this.headline, [
      h("a.crumb", { href: "/pipes", onclick: (e) => { e.preventDefault(); go("/pipes"); } }, `‹ ${t("pipes")}`),
      h("h1", null, pipeName(pipe), " ", h("span.dim", null, [...new Set([pipe.site_a, pipe.site_b])].join(", "))),
      ...states.filter(Boolean).map((node) => badge(shown(node))),
      h("span.dim", { title: t("pipe.changed", { who: pipe.changed_by, when: local(pipe.changed) }) }, t("pipe.facts", { length: pipe.length, material: t(`pipe.material.${pipe.material}`) })),
      h("span.spring"), ...controls]);
  }

  removeButton() {
    const reset = () => { delete button.dataset.sure; say(button, t("pipe.remove")); };
    const button = h("button.remove", { onblur: reset, onclick: () => {
      if (!button.dataset.sure) { button.dataset.sure = "yes"; say(button, t("pipe.remove.sure")); return; }
      this.act(async () => { await post(`/api/pipes/${this.id}/remove`); this.go("/pipes"); });
    } }, t("pipe.remove"));
    return button;
  }

  edit() {
    this.editing = !this.editing;
    this.headline.querySelector(".edit")?.setAttribute("aria-expanded", String(this.editing));
    this.form.replaceChildren(...(this.editing ? [h("section.panel", null, h("h2", null, t("pipe.change")), pipeForm(this.pipe, () => { this.edit(); this.load(); }))] : []));
    if (this.editing) this.form.querySelector("select").focus();
  }

  drawJob() {
    const row = this.running;
    this.job.hidden = !row;
    if (!row) return;
    if (this.job.dataset.id !== row.id || this.job.dataset.state !== row.state) {
      Object.assign(this.job.dataset, { id: row.id, state: row.state });
      const bars = ["a", "b"].map((end) => h("label", null, this.pipe?.[`node_${end}`] ?? end, h("progress", { max: 1, "data-end": end })));
      const cancel = me.operates ? h("button.cancel", { onclick: () => this.act(() => post(`/api/locations/${row.id}/cancel`)) }, t("locate.cancel")) : null;
      fill(this.job, [h("h2", null, t(`locating.${row.state}`)), h("div.bars", null, row.state === "recording" || row.state === "fetching" ? bars : []), cancel].filter(Boolean));
    }
    for (const bar of this.job.querySelectorAll("progress")) bar.value = row.progress?.[bar.dataset.end] ?? 0;
  }

  drawResult() {
    const { chosen: row, pipe } = this;
    this.result.hidden = !ended(row);
    if (this.result.hidden) return;
    const found = row.result;
    const drawn = this.curves.get(row.id) ?? {};
    const facts = [];
    const put = (key, value) => facts.push(h("dt", null, t(key)), h("dd", null, value));
    if (found.interval_95_m) {
      put("located.95", span(found.interval_95_m));
      put("located.50", span(found.interval_50_m));
    }
    if (found.quality) {
      put("located.quality", `${t(`quality.${found.quality}`)} (${number(found.score, 1)} / ${number(found.required, 1)})`);
      put("located.band", `${number(found.band_hz[0])} – ${number(found.band_hz[1])} Hz`);
      put("located.speed", `${number(found.speed_m_s[0])} – ${number(found.speed_m_s[1])} m/s`);
      put("located.clock", `± ${number(found.clock_uncertainty_s * 1000, 2)} ms`);
    }
    if (row.heard) put("located.heard", timeElement(row.heard));
    put("located.asked", h("span", null, t(`cause.${row.cause}`), row.asked_by ? ` · ${row.asked_by} · ` : " · ", timeElement(row.asked)));
    const others = (found.sources ?? []).slice(found.position_m === null ? 0 : 1).map((one) => h("li", null, `${t(`source.${one.kind}`)}, ${number(one.position_m, 1)} m (${span(one.interval_95_m)})`));
    fill(this.result, [
      h("h2", null, t("located")), h("p.answer-line", { "data-position": found.position_m ?? "" }, summary(pipe, row)),
      h("dl.facts", null, facts), others.length ? h("div", null, t("located.also"), h("ul", null, others)) : null,
      ...this.plots(row, drawn), this.exports(row)].filter(Boolean));
    this.result.dataset.id = row.id;
  }

  plots(row, drawn) {
    const { pipe } = this;
    if (!drawn.correlation) return [];
    const found = row.result;
    const { correlation, coherence } = drawn;
    const marks = (found.sources ?? []).map((one) => one.delay_ms);
    const top = Math.max(...correlation.chosen.map(Math.abs), correlation.required) * 1.1;
    const said = summary(pipe, row);
    const position = found.position_m ?? null;
    return [
      pipeDrawing({ title: t("plot.pipe"), label: said, length: pipe.length, names: [pipe.node_a, pipe.node_b], probability: drawn.probability,
        half: found.interval_50_m, most: found.interval_95_m, median: position }),
      h("div.pair", null,
        curves({ title: t("plot.correlation"), label: `${t("plot.correlation")}. ${said}`, name: "correlation", x: ends(correlation.delay_ms), y: [-top, top], xLabel: t("plot.delay"),
          lines: [{ x: correlation.delay_ms, y: correlation.all, style: "soft" }, { x: correlation.delay_ms, y: correlation.chosen, style: "a" }],
          band: correlation.possible_ms, marks, level: correlation.required }),
        curves({ title: t("plot.coherence"), label: t("plot.coherence"), name: "coherence", x: ends(coherence.hz), y: [0, 1], xLabel: t("plot.hz"), logarithmic: true,
          lines: [{ x: coherence.hz, y: coherence.coherence, style: "a" }], band: found.band_hz }))];
  }

  exports(row) {
    const print = h("button.print", { onclick: () => window.print() }, t("print"));
    if (row.state !== "done") return h("div.actions", null, print);
    const base = `/api/locations/${row.id}`;
    return h("div.actions.exports", null,
      h("a.button", { href: `${base}/report`, download: "" }, t("export.report")), h("a.button", { href: `${base}?download=1`, download: "" }, "JSON"), print);
  }

  /** Results laid over each other: a leak stays where it is, chance does not. */
  drawNights() {
    const { pipe } = this;
    const done = this.rows.filter((row) => row.state === "done");
    this.nights.hidden = done.length < 2;
    if (this.nights.hidden) return;
    const laid = done.map((row) => this.curves.get(row.id)?.correlation).filter(Boolean).slice(0, LAID);
    const rows = done.slice(0, ROWS).map((row) => ({ label: short(row.heard ?? row.asked), half: row.result.interval_50_m, most: row.result.interval_95_m }));
    const parts = [h("h2", null, t("located.nights")), intervals({ title: t("plot.intervals"), label: t("plot.intervals"), length: pipe.length, rows })];
    if (laid.length > 1) {
      const reach = Math.max(...laid.map((one) => one.delay_ms.at(-1)));
      parts.push(curves({ title: t("plot.laid", { count: laid.length }), label: t("plot.laid", { count: laid.length }), name: "laid", x: [-reach, reach], y: [-0.6, 1.1], xLabel: t("plot.delay"),
        lines: laid.map((one) => { const peak = Math.max(...one.chosen.map(Math.abs), 1e-9); return { x: one.delay_ms, y: one.chosen.map((v) => v / peak), style: "laid" }; }) }));
    }
    fill(this.nights, parts);
  }

  drawList() {
    const { pipe } = this;
    this.list.hidden = !this.rows.length;
    const rows = this.rows.map((row) => h("li", null, h("button.choice", { "aria-pressed": String(row.id === this.chosen?.id), "data-location": row.id, onclick: () => this.choose(row) },
      h("span.dim", null, short(row.asked)), h("span", null, summary(pipe, row)))));
    fill(this.list, [h("div.head", null, h("h2", null, t("located.all")), h("span.spring"), h("a.button", { href: `/api/pipes/${this.id}/locations.csv`, download: "" }, t("csv"))), h("ol.choices", null, rows)]);
  }
}

function ended(row) {
  return row?.state === "done" || row?.state === "failed";
}

function ends(values) {
  return [values[0], values.at(-1)];
}

function short(posix) {
  return new Date(posix * 1000).toLocaleString(document.documentElement.lang, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
}
