// A chart over time with cursor, zoom and pan: uPlot, with what this page marks in it.
import { h, say } from "../js/dom.js";
import { language, t, utc } from "../js/i18n.js";
import { colour } from "./canvas.js";
import { broken } from "./columns.js";
import { uPlot } from "./uplot.js";
import { Window, hands } from "./window.js";

/**
 * @typedef {{ name: string, ink: string, label: string, unit?: string }} Line
 * @typedef {{ at: number, ink: string }} Mark a vertical line, POSIX seconds
 * @typedef {{ from: number, to: number, ink: string }} Span a shaded time
 * @typedef {{
 *   lines: Line[], band?: [low: string, high: string], range: [number, number] | null, label: string,
 *   format: (value: number, exact?: boolean) => string, pick?: (row: number) => void,
 * }} Options `range`: fixed limits of the values; `pick`: is given the row of the data that was chosen
 */

const FONT = "11px system-ui, 'Liberation Sans', sans-serif";

export class TimeChart {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.names = [...new Set([...options.lines.map((line) => line.name), ...(options.band ?? [])])];
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {Span[]} */
    this.spans = [];
    /** @type {number | null} */
    this.threshold = null;
    /** @type {import("./columns.js").Given} */
    this.data = { t: [] };
    /** @type {number[][]} */
    this.alone = this.names.map(() => []);
    this.gap = Infinity;
    /** @type {import("uplot") | null} */
    this.plot = null;
    this.window = new Window(() => this.draw());
    this.tip = h("div.tip", { hidden: true, role: "status" });
    this.whole = h("button.whole", { hidden: true, onclick: () => this.window.all() }, t("chart.all"));
    this.element = h("div.chart", {
      tabindex: 0, role: "group", "aria-label": options.label, "aria-description": t("chart.keys"),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
    }, this.tip, this.whole);
    new ResizeObserver(() => this.fit()).observe(this.element);
    const repaint = () => { if (this.element.isConnected) this.plot?.redraw(); else removeEventListener("themed", repaint); };
    addEventListener("themed", repaint);
  }

  /**
   * Show data over a span of time. A part that somebody has zoomed to stays.
   * @param {import("./columns.js").Given} data
   * @param {number} since
   * @param {number} until
   * @param {number} gap seconds between two values that break a line
   */
  show(data, since, until, gap) {
    Object.assign(this, { data, gap });
    this.window.follow(since, until);
    this.draw();
  }

  draw() {
    if (!this.element.clientWidth || this.window.until === 1) return;
    const { t: times, columns, alone } = broken(this.data, this.names, this.gap);
    this.alone = alone;
    const [min, max] = this.window.shown;
    const all = /** @type {any} */ (times.length ? [times, ...columns] : [[min, max], ...this.names.map(() => [null, null])]);
    this.plot ??= this.made(all);
    const { plot } = this;
    plot.batch(() => {
      plot.setData(all, false);
      plot.setScale("x", { min, max });
    });
    this.whole.hidden = !this.window.chosen;
    Object.assign(this.element.dataset, { points: String(this.data.t.length), from: String(min), to: String(max) });
  }

  fit() {
    const size = { width: this.element.clientWidth, height: this.element.clientHeight };
    if (!size.width) return;
    if (this.plot) this.plot.setSize(size);
    else this.draw();
  }

  /** @param {import("uplot").AlignedData} data */
  made(data) {
    const { lines, band, format } = this.options;
    const at = (/** @type {string} */ name) => this.names.indexOf(name) + 1;
    const grid = { stroke: () => colour("--line"), width: 1 };
    const axis = { font: FONT, stroke: () => colour("--dim"), ticks: { show: false }, grid };
    const plot = new uPlot({
      width: this.element.clientWidth, height: this.element.clientHeight, padding: [10, 24, 0, 0],
      legend: { show: false },
      scales: { x: { time: true, range: (_, low, high) => [low, high] }, y: { range: () => this.limits() } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: 80, values: (_, splits, __, ___, step) => splits.map((time) => tick(time, step)) },
        { ...axis, size: 48, space: 34, incrs: this.options.range ? [0.25, 0.5] : [1, 2, 5, 10, 20, 50], values: (_, splits) => splits.map((v) => format(v)) },
      ],
      series: [{}, ...this.names.map((name, i) => series(lines.find((line) => line.name === name), () => this.alone[i]))],
      bands: band ? [{ series: [at(band[1]), at(band[0])], fill: () => colour("--band") }] : [],
      cursor: {
        y: false, points: { show: false }, drag: { x: true, y: false, setScale: false },
        bind: {
          mousedown: (_, __, handler) => (event) => { if (!event.shiftKey) handler(event); return null; },
          dblclick: () => () => { this.window.all(); return null; },
        },
      },
      hooks: {
        drawAxes: [(u) => this.paintSpans(u)], draw: [(u) => this.paintMarks(u)], setCursor: [(u) => this.tell(u)],
        setSelect: [(u) => this.zoomTo(u)],
      },
    }, data, this.element);
    hands(plot.over, this.window);
    plot.over.addEventListener("click", () => this.choose());
    return plot;
  }

  /** @param {import("uplot")} u */
  zoomTo(u) {
    const { left, width } = u.select;
    if (width < 4) return;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.window.show(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
    this.zoomed = true;
  }

  /** The row under the cursor was chosen; the click that ends a zoom chooses nothing. */
  choose() {
    const row = this.row();
    if (!this.zoomed && row >= 0) this.options.pick?.(row);
    this.zoomed = false;
  }

  /** The row of the data nearest to the cursor; -1: there is none. */
  row() {
    const left = this.plot?.cursor.left ?? -1;
    if (!this.plot || left < 0 || !this.data.t.length) return -1;
    const time = this.plot.posToVal(left, "x");
    return this.data.t.reduce((best, each, i) => (Math.abs(each - time) < Math.abs(this.data.t[best] - time) ? i : best), 0);
  }

  /** Limits of the values: fixed, or round ones around all that is there.
   * @returns {[number, number]} */
  limits() {
    if (this.options.range) return this.options.range;
    let [low, high] = [Infinity, -Infinity];
    for (const name of this.names) {
      for (const value of this.data[name] ?? []) if (typeof value === "number") { low = Math.min(low, value); high = Math.max(high, value); }
    }
    return low > high ? [-80, -20] : [Math.floor((low - 3) / 10) * 10, Math.ceil((high + 3) / 10) * 10];
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { window } = this;
    const [from, to] = window.shown;
    const about = this.row() < 0 ? (from + to) / 2 : this.data.t[this.row()];
    const side = event.key === "ArrowLeft" ? -1 : 1;
    if (event.key.startsWith("Arrow") && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
      if (event.shiftKey) window.move(0.2 * side); else this.step(side);
    } else if (event.key === "+" || event.key === "=") window.zoom(about, 0.5);
    else if (event.key === "-") window.zoom(about, 2);
    else if (event.key === "0") window.all();
    else if (event.key === "Enter" && event.target === this.element) this.choose();
    else return;
    event.preventDefault();
  }

  /** Put the cursor on the next row that is in view. @param {number} side */
  step(side) {
    const { plot, data: { t: times } } = this;
    const [from, to] = this.window.shown;
    const seen = times.filter((time) => time >= from && time <= to);
    if (!plot || !seen.length) return;
    const now = this.row() < 0 ? (side > 0 ? -1 : seen.length) : seen.indexOf(times[this.row()]);
    const next = seen[Math.min(Math.max(now + side, 0), seen.length - 1)];
    plot.setCursor({ left: plot.valToPos(next, "x"), top: 10 });
  }

  /** Say what is under the cursor. @param {import("uplot")} u */
  tell(u) {
    const row = this.row();
    this.tip.hidden = row < 0;
    if (row < 0) return;
    const time = this.data.t[row];
    const words = this.options.lines.filter(({ name }) => (this.data[name]?.[row] ?? null) !== null)
      .map(({ name, label, unit }) => `${label} ${this.options.format(/** @type {number} */ (this.data[name][row]), true)}${unit ?? ""}`);
    say(this.tip, `${new Date(time * 1000).toLocaleString(language)} (${utc(time).slice(11, 19)} UTC) · ${words.join(" · ")}`);
    const left = u.over.offsetLeft + u.valToPos(time, "x") + 10;
    this.tip.style.left = `${Math.max(0, Math.min(left, this.element.clientWidth - this.tip.offsetWidth))}px`;
  }

  /** @param {import("uplot")} u */
  paintSpans(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.globalAlpha = 0.14;
    for (const { from, to, ink } of this.spans) {
      const left = u.valToPos(from, "x", true);
      ctx.fillStyle = colour(ink);
      ctx.fillRect(left, bbox.top, Math.max(2, u.valToPos(to, "x", true) - left), bbox.height);
    }
    ctx.restore();
    const unit = this.options.lines[0].unit?.trim();
    if (!unit) return;
    ctx.save();
    ctx.font = FONT.replace("11px", `${11 * devicePixelRatio}px`);
    ctx.fillStyle = colour("--dim");
    ctx.textBaseline = "top";
    ctx.textAlign = "left"; // uPlot's axes leave "right"
    ctx.fillText(unit, bbox.left + 4 * devicePixelRatio, bbox.top);
    ctx.restore();
  }

  /** @param {import("uplot")} u */
  paintMarks(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.lineWidth = 1.4 * devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { at, ink } of this.marks) {
      const x = u.valToPos(at, "x", true);
      stroke(ctx, colour(ink), x, bbox.top, x, bbox.top + bbox.height);
    }
    if (this.threshold !== null) {
      const y = u.valToPos(this.threshold, "y", true);
      stroke(ctx, colour("--leak-edge"), bbox.left, y, bbox.left + bbox.width, y);
    }
    ctx.restore();
  }
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} ink
 * @param {number[]} ends
 */
function stroke(ctx, ink, ...[x0, y0, x1, y1]) {
  ctx.strokeStyle = ink;
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

/**
 * @param {Line | undefined} line none: one side of the band, which has no line of its own
 * @param {() => number[]} alone rows that become dots
 * @returns {import("uplot").Series}
 */
function series(line, alone) {
  if (!line) return { width: 0, points: { show: false } };
  const ink = () => colour(line.ink);
  return { stroke: ink, width: 1.7, points: { show: true, size: 4, fill: ink, stroke: ink, filter: () => alone() } };
}

/**
 * @param {number} time POSIX seconds
 * @param {number} step seconds between two ticks
 */
function tick(time, step) {
  const date = new Date(time * 1000);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0;
  if (step >= 86400 || (step >= 10800 && midnight)) return date.toLocaleDateString(language, { day: "numeric", month: "short" });
  return date.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", ...(step < 60 ? { second: "2-digit" } : {}) });
}
