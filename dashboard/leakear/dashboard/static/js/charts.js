// Small charts on canvas: sparklines for a thousand rows, and one time chart with a crosshair.
import { h } from "./dom.js";
import { language, utc } from "./i18n.js";

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A 2-D context whose canvas fits its place and the screen's pixels. */
export function prepare(canvas, [width, height] = [canvas.clientWidth, canvas.clientHeight]) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/** A line with holes where nothing came; `range` is [low, high], `limit` a value to mark and its ink. */
export function spark(canvas, size, values, [low, high], ink, [limit, line] = []) {
  const { pen, width, height } = prepare(canvas, size);
  const x = (i) => 1 + (i / (values.length - 1)) * (width - 4);
  const y = (v) => height - 2.5 - ((Math.min(Math.max(v, low), high) - low) / (high - low)) * (height - 5);
  if (limit !== undefined && limit !== null) {
    pen.strokeStyle = line;
    pen.beginPath();
    pen.moveTo(0, y(limit));
    pen.lineTo(width, y(limit));
    pen.stroke();
  }
  pen.strokeStyle = pen.fillStyle = ink;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  stroke(pen, values.map((v, i) => [x(i), v === null ? null : y(v)]), 1);
}

/** Connect points; a null breaks the line, and a point alone becomes a dot. */
function stroke(pen, points, dot) {
  pen.beginPath();
  let before = null;
  points.forEach(([x, y], i) => {
    if (y === null) { before = null; return; }
    if (before) pen.lineTo(x, y);
    else {
      pen.moveTo(x, y);
      const next = points[i + 1];
      if (!next || next[1] === null) { pen.moveTo(x + dot, y); pen.arc(x, y, dot, 0, 7); }
    }
    before = [x, y];
  });
  pen.stroke();
}

const MARGIN = { left: 46, right: 10, top: 8, bottom: 22 };
const STEPS = [10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000];

/**
 * A chart over time. `lines`: [{name, ink, label}]; `band`: [low, high] names; `range`: fixed [low, high] or null.
 * `marks`: [{at, ink}] vertical lines; `spans`: [{from, to, ink}] shaded times; `pick`: called with the point clicked.
 * Data: {t: [POSIX seconds], name: [values or null], …}; `gap`: seconds between points that break the line.
 */
export class TimeChart {
  constructor({ lines, band, range, format, label, pick }) {
    Object.assign(this, { lines, band, range, format, marks: [], spans: [] });
    this.canvas = h("canvas", { role: "img", "aria-label": label });
    this.tip = h("div.tip", { hidden: true });
    this.element = h("div.chart", null, this.canvas, this.tip);
    this.data = { t: [] };
    this.threshold = null;
    this.canvas.addEventListener("pointermove", (event) => { this.pointer = event.offsetX; this.draw(); });
    if (pick) this.canvas.addEventListener("click", (event) => { const i = this.nearest(event.offsetX); if (i >= 0) pick(i); });
    this.canvas.addEventListener("pointerleave", () => { this.pointer = null; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  show(data, since, until, gap) {
    Object.assign(this, { data, since, until, gap });
    this.draw();
  }

  draw() {
    if (!this.since || !this.element.isConnected) return;
    const { pen, width, height } = prepare(this.canvas);
    const [low, high] = this.range ?? this.span();
    const x = (time) => MARGIN.left + ((time - this.since) / (this.until - this.since)) * (width - MARGIN.left - MARGIN.right);
    const y = (v) => height - MARGIN.bottom - ((v - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    this.grid(pen, width, height, x, y, low, high);
    this.x = x;
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN.left, 0, width - MARGIN.left - MARGIN.right + 2, height - MARGIN.bottom + 2);
    pen.clip();
    this.paintSpans(pen, height, x);
    if (this.band) this.paintBand(pen, x, y);
    for (const line of this.lines) this.paintLine(pen, line, x, y);
    this.paintMarks(pen, height, x);
    pen.restore();
    if (this.threshold !== null) this.paintThreshold(pen, width, y);
    this.crosshair(pen, height, x, y);
  }

  span() {
    const all = this.lines.flatMap((line) => this.data[line.name] ?? []).concat((this.band ?? []).flatMap((n) => this.data[n] ?? []));
    const values = all.filter((v) => v !== null && v !== undefined);
    const low = values.length ? values.reduce((a, b) => Math.min(a, b)) : -80;
    const high = values.length ? values.reduce((a, b) => Math.max(a, b)) : -20;
    return [Math.floor((low - 3) / 10) * 10, Math.ceil((high + 3) / 10) * 10];
  }

  grid(pen, width, height, x, y, low, high) {
    pen.font = "11px system-ui, 'Liberation Sans', sans-serif";
    pen.fillStyle = colour("--dim");
    pen.strokeStyle = colour("--line");
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const step = this.range ? 0.25 : high - low > 50 ? 20 : 10;
    for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) {
      pen.beginPath();
      pen.moveTo(MARGIN.left, Math.round(y(v)) + 0.5);
      pen.lineTo(width - MARGIN.right, Math.round(y(v)) + 0.5);
      pen.stroke();
      pen.fillText(this.format(v), MARGIN.left - 7, y(v));
    }
    this.timeTicks(pen, width, height, x);
  }

  timeTicks(pen, width, height, x) {
    pen.textBaseline = "top";
    pen.textAlign = "center";
    const wanted = (this.until - this.since) / Math.max(2, width / 110);
    const step = STEPS.find((s) => s >= wanted) ?? STEPS.at(-1);
    const zone = new Date(this.since * 1000).getTimezoneOffset() * 60;
    for (let time = Math.ceil((this.since - zone) / step) * step + zone; time <= this.until; time += step) {
      if (x(time) < MARGIN.left + 14 || x(time) > width - 24) continue;
      pen.fillText(tick(time, step), x(time), height - MARGIN.bottom + 7);
    }
  }

  points(name) {
    return this.data.t.map((time, i) => [time, this.data[name]?.[i] ?? null]);
  }

  paintLine(pen, { name, ink }, x, y) {
    pen.strokeStyle = pen.fillStyle = colour(ink);
    pen.lineWidth = 1.7;
    pen.lineJoin = "round";
    const out = [];
    let before = -Infinity;
    for (const [time, v] of this.points(name)) {
      if (time < this.since - this.gap) continue;
      if (v === null) continue;
      if (time - before > this.gap) out.push([0, null]);
      out.push([x(time), y(v)]);
      before = time;
    }
    stroke(pen, out, 1.5);
  }

  paintBand(pen, x, y) {
    const [lows, highs] = this.band.map((name) => this.points(name));
    pen.fillStyle = colour("--band");
    for (let i = 1; i < lows.length; i++) {
      if ([lows[i], lows[i - 1], highs[i], highs[i - 1]].some(([, v]) => v === null) || lows[i][0] - lows[i - 1][0] > this.gap) continue;
      pen.beginPath();
      pen.moveTo(x(lows[i - 1][0]), y(lows[i - 1][1]));
      pen.lineTo(x(lows[i][0]), y(lows[i][1]));
      pen.lineTo(x(highs[i][0]), y(highs[i][1]));
      pen.lineTo(x(highs[i - 1][0]), y(highs[i - 1][1]));
      pen.fill();
    }
  }

  paintThreshold(pen, width, y) {
    pen.strokeStyle = colour("--leak-edge");
    pen.lineWidth = 1.2;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    pen.moveTo(MARGIN.left, y(this.threshold));
    pen.lineTo(width - MARGIN.right, y(this.threshold));
    pen.stroke();
    pen.setLineDash([]);
  }

  paintSpans(pen, height, x) {
    for (const { from, to, ink } of this.spans) {
      pen.fillStyle = colour(ink);
      pen.globalAlpha = 0.14;
      pen.fillRect(x(from), MARGIN.top, Math.max(2, x(to) - x(from)), height - MARGIN.top - MARGIN.bottom);
      pen.globalAlpha = 1;
    }
  }

  paintMarks(pen, height, x) {
    pen.lineWidth = 1.4;
    pen.setLineDash([4, 3]);
    for (const { at, ink } of this.marks) {
      pen.strokeStyle = colour(ink);
      pen.beginPath();
      pen.moveTo(x(at), MARGIN.top);
      pen.lineTo(x(at), height - MARGIN.bottom);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  /** The point nearest to a place on the chart; -1: there is none. */
  nearest(place) {
    const times = this.data.t;
    let best = times.length && this.x ? 0 : -1;
    for (let i = 1; i < times.length; i++) {
      if (Math.abs(this.x(times[i]) - place) < Math.abs(this.x(times[best]) - place)) best = i;
    }
    return best;
  }

  crosshair(pen, height, x, y) {
    const times = this.data.t;
    if (this.pointer === null || this.pointer === undefined || !times.length) { this.tip.hidden = true; return; }
    const best = this.nearest(this.pointer);
    const at = x(times[best]);
    pen.strokeStyle = colour("--dim");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(at, MARGIN.top);
    pen.lineTo(at, height - MARGIN.bottom);
    pen.stroke();
    const words = this.lines.filter(({ name }) => (this.data[name]?.[best] ?? null) !== null)
      .map(({ name, label, unit }) => `${label} ${this.format(this.data[name][best], true)}${unit ?? ""}`);
    this.tip.textContent = `${new Date(times[best] * 1000).toLocaleString(language)} (${utc(times[best]).slice(11, 19)} UTC) · ${words.join(" · ")}`;
    this.tip.hidden = false;
    this.tip.style.left = `${Math.max(0, Math.min(at + 10, this.element.clientWidth - this.tip.offsetWidth))}px`;
    this.tip.style.top = "2px";
  }
}

function tick(time, step) {
  const date = new Date(time * 1000);
  if (step >= 86400) return date.toLocaleDateString(language, { day: "numeric", month: "short" });
  const options = { hour: "2-digit", minute: "2-digit" };
  if (step < 60) options.second = "2-digit";
  if (step >= 10800 && date.getHours() === 0) return date.toLocaleDateString(language, { day: "numeric", month: "short" });
  return date.toLocaleTimeString(language, options);
}
