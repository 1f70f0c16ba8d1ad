// Small drawings on canvas: sparklines for a thousand rows.

/**
 * The present value of a CSS colour, which depends on the theme.
 * @param {string} name such as "--line"
 */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * A 2-D context whose canvas fits its place and the screen's pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} [size] width and height, CSS pixels
 */
function prepare(canvas, [width, height] = [canvas.clientWidth, canvas.clientHeight]) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

const BRIDGE = 12;
/* slots without a value that a line spans: a node that reports once a minute fills every sixth one */

/**
 * A line with holes where nothing came for longer than BRIDGE slots.
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} size width and height, CSS pixels
 * @param {(number | null)[]} values
 * @param {number[]} range low, high
 * @param {string} ink
 * @param {[limit?: number | null, line?: string]} marked a value to mark and its ink
 */
export function spark(canvas, size, values, [low, high], ink, [limit, line] = []) {
  const { pen, width, height } = prepare(canvas, size);
  const x = (/** @type {number} */ i) => 1 + (i / (values.length - 1)) * (width - 4);
  const y = (/** @type {number} */ v) => height - 2.5 - ((Math.min(Math.max(v, low), high) - low) / (high - low)) * (height - 5);
  if (limit !== undefined && limit !== null) {
    pen.strokeStyle = line ?? ink;
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

/**
 * Connect points; more than BRIDGE of null break the line, and a point alone becomes a dot.
 * @param {CanvasRenderingContext2D} pen
 * @param {[number, number | null][]} points
 * @param {number} dot radius, pixels
 */
function stroke(pen, points, dot) {
  const there = points.flatMap(([x, y], at) => (y === null ? [] : [{ x, y, at }]));
  const near = (/** @type {number} */ n) => n > 0 && n < there.length && there[n].at - there[n - 1].at <= BRIDGE + 1;
  pen.beginPath();
  there.forEach(({ x, y }, n) => {
    if (near(n)) pen.lineTo(x, y);
    else pen.moveTo(x, y);
    if (!near(n) && !near(n + 1)) { pen.moveTo(x + dot, y); pen.arc(x, y, dot, 0, 7); }
  });
  pen.stroke();
}
