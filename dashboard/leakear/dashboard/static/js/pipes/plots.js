// Drawings of a location, as SVG at the width of their place: the pipe, curves over an axis, intervals of many nights.
import { h } from "../dom.js";
import { number } from "../i18n.js";

const SPACE = "http://www.w3.org/2000/svg";
const LEFT = 40;
const RIGHT = 10;
const BOTTOM = 36;

function s(name, attributes = {}, text = null) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  return element;
}

/** A figure that is drawn again when its width changes; `draw(width)` gives [height, shapes]. */
function figure(title, label, name, draw) {
  const place = h("div.plot", { "data-plot": name });
  const element = h("figure", null, h("figcaption", null, title), place);
  let shown = 0;
  const paint = () => {
    const width = Math.round(place.clientWidth);
    if (width < 50 || width === shown) return;
    shown = width;
    const [height, shapes] = draw(width);
    const picture = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
    picture.append(...shapes);
    place.replaceChildren(picture);
  };
  new ResizeObserver(paint).observe(place);
  return element;
}

/** Round values between two limits, as many as fit. */
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((one) => one >= raw);
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) found.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  return found;
}

function axisText(value) {
  return number(value, Number.isInteger(Number(value.toFixed(6))) ? 0 : Math.abs(value) < 1 ? 2 : 1);
}

function path(xs, ys, style) {
  const points = xs.map((x, i) => `${x.toFixed(1)},${ys[i].toFixed(1)}`).join(" ");
  return s("polyline", { class: `curve ${style}`, points });
}

/**
 * Curves over one axis. `lines`: [{x, y, style}]; `x`, `y`: [low, high]; `band`: a shaded range of x; `marks`: x values;
 * `level`: a dashed line; `logarithmic`: the x axis.
 */
export function curves({ title, label, name, lines, x, y, xLabel, band = null, marks = [], level = null, logarithmic = false, height = 190 }) {
  return figure(title, label, name, (width) => {
    const scale = logarithmic ? (v) => Math.log(Math.max(v, x[0]) / x[0]) / Math.log(x[1] / x[0]) : (v) => (v - x[0]) / (x[1] - x[0]);
    const px = (v) => LEFT + Math.min(Math.max(scale(v), 0), 1) * (width - LEFT - RIGHT);
    const py = (v) => height - BOTTOM - Math.min(Math.max((v - y[0]) / (y[1] - y[0]), 0), 1) * (height - BOTTOM - 8);
    const shapes = [];
    if (band) shapes.push(s("rect", { class: "band", x: px(band[0]), y: 8, width: Math.max(px(band[1]) - px(band[0]), 1), height: height - BOTTOM - 8 }));
    const along = logarithmic ? [20, 50, 100, 200, 500, 1000, 2000, 5000].filter((v) => v >= x[0] && v <= x[1]) : ticks(...x, width / 80);
    for (const v of along) {
      shapes.push(s("path", { class: "grid", d: `M${px(v)} 8V${height - BOTTOM}` }),
        s("text", { class: "tick", "text-anchor": "middle", x: px(v), y: height - BOTTOM + 15 }, axisText(v)));
    }
    for (const v of ticks(...y, 4)) {
      shapes.push(s("path", { class: "grid", d: `M${LEFT} ${py(v)}H${width - RIGHT}` }),
        s("text", { class: "tick", "text-anchor": "end", x: LEFT - 5, y: py(v) + 4 }, axisText(v)));
    }
    if (level !== null) shapes.push(s("path", { class: "level", d: `M${LEFT} ${py(level)}H${width - RIGHT}` }));
    for (const line of lines) shapes.push(path(line.x.map(px), line.y.map(py), line.style));
    for (const v of marks) shapes.push(s("path", { class: "mark", d: `M${px(v)} 8V${height - BOTTOM}` }));
    shapes.push(s("text", { class: "tick", "text-anchor": "middle", x: (LEFT + width) / 2, y: height - 4 }, xLabel));
    return [height, shapes];
  });
}

/** The pipe from A to B with the probability along it and the 50 and 95 % intervals, m. */
export function pipeDrawing({ title, label, length, names, probability, half, most, median }) {
  return figure(title, label, "pipe", (width) => {
    const [top, base, height] = [20, 110, 164];
    const px = (m) => 14 + (m / length) * (width - 28);
    const shapes = [];
    if (probability) {
      const peak = Math.max(...probability.probability, 1e-12);
      const outline = probability.m.map((m, i) => `${px(m).toFixed(1)},${(base - 12 - (probability.probability[i] / peak) * (base - 16 - top)).toFixed(1)}`);
      shapes.push(s("polygon", { class: "density", points: `${px(0)},${base - 12} ${outline.join(" ")} ${px(length)},${base - 12}` }));
    }
    shapes.push(s("rect", { class: "tube", x: px(0), y: base - 8, width: px(length) - px(0), height: 16, rx: 3 }));
    for (const [interval, style] of [[most, "most"], [half, "half"]]) {
      if (interval) shapes.push(s("rect", { class: style, "data-interval": style, x: px(interval[0]), y: base - 8, width: Math.max(px(interval[1]) - px(interval[0]), 2), height: 16 }));
    }
    if (median !== null) {
      const anchor = px(median) < 60 ? "start" : px(median) > width - 60 ? "end" : "middle";
      shapes.push(s("path", { class: "mark", d: `M${px(median)} ${top}V${base + 12}` }),
        s("text", { class: "strong", "text-anchor": anchor, x: px(median), y: top - 6 }, `${number(median, 1)} m`));
    }
    for (const m of ticks(0, length, width / 70)) {
      shapes.push(s("text", { class: "tick", "text-anchor": m === 0 ? "start" : "middle", x: px(m), y: base + 24 }, axisText(m)));
    }
    shapes.push(s("circle", { class: "sensor", cx: px(0), cy: base, r: 6 }), s("circle", { class: "sensor", cx: px(length), cy: base, r: 6 }),
      s("text", { class: "strong", x: px(0) - 6, y: base + 46 }, names[0]),
      s("text", { class: "strong", "text-anchor": "end", x: px(length) + 6, y: base + 46 }, names[1]));
    return [height, shapes];
  });
}

/** Intervals of several results one under the other, the newest above. `rows`: [{label, half, most, median}]. */
export function intervals({ title, label, length, rows }) {
  return figure(title, label, "intervals", (width) => {
    const line = 22;
    const left = width > 500 ? 150 : 84;
    const px = (m) => left + (m / length) * (width - left - 12);
    const bottom = rows.length * line + 8;
    const shapes = ticks(0, length, (width - left) / 70).flatMap((m) => [
      s("path", { class: "grid", d: `M${px(m)} 4V${bottom}` }),
      s("text", { class: "tick", "text-anchor": "middle", x: px(m), y: bottom + 15 }, axisText(m))]);
    rows.forEach((row, i) => {
      const y = i * line + 6;
      shapes.push(s("text", { class: "tick", x: 0, y: y + 12 }, row.label));
      if (!row.most) { shapes.push(s("text", { class: "tick", x: left, y: y + 12 }, "–")); return; }
      for (const [interval, style, thick] of [[row.most, "most", 6], [row.half, "half", 12]]) {
        shapes.push(s("rect", { class: style, x: px(interval[0]), y: y + 8 - thick / 2, width: Math.max(px(interval[1]) - px(interval[0]), 2), height: thick }));
      }
    });
    return [bottom + 22, shapes];
  });
}
