// What a time chart is given, and the columns that uPlot draws of it.

/**
 * Columns of a chart: times in POSIX seconds, ascending, and values; null: nothing is known at that time.
 * @typedef {{ t: number[], [name: string]: (number | null)[] }} Given
 * @typedef {(number | null | undefined)[]} Column null breaks the line, undefined does not
 */

/**
 * Break each line where more than `gap` seconds lie between two values, and nowhere else.
 * @param {Given} given
 * @param {string[]} names
 * @param {number} gap
 * @returns {{ t: number[], columns: Column[], alone: number[][] }} `alone`: of each column, the rows without neighbours
 */
export function broken(given, names, gap) {
  given = ascending(given, names);
  const t = withHoles(given.t, gap);
  const columns = names.map((name) => spread(given, name, t));
  columns.forEach((column) => breakLine(column, t, gap));
  return { t, columns, alone: columns.map(lonely) };
}

/**
 * The rows in the order of their times, which uPlot wants: what a node says now may be older than the mean of a slot.
 * @param {Given} given
 * @param {string[]} names
 * @returns {Given}
 */
function ascending(given, names) {
  if (given.t.every((time, i) => !i || given.t[i - 1] <= time)) return given;
  const order = given.t.map((_, i) => i).sort((a, b) => given.t[a] - given.t[b]);
  const columns = names.map((name) => [name, order.map((i) => given[name]?.[i] ?? null)]);
  return { t: order.map((i) => given.t[i]), ...Object.fromEntries(columns) };
}

/**
 * Times with one more in each hole, at which a line can be broken.
 * @param {number[]} times
 * @param {number} gap
 */
function withHoles(times, gap) {
  /** @type {number[]} */
  const out = [];
  times.forEach((time, i) => {
    const before = times[i - 1];
    if (i && time - before > gap) out.push((before + time) / 2);
    out.push(time);
  });
  return out;
}

/**
 * The values of a column at the times `t`; undefined where there is none.
 * @param {Given} given
 * @param {string} name
 * @param {number[]} t
 * @returns {Column}
 */
function spread(given, name, t) {
  let row = 0;
  return t.map((time) => (time === given.t[row] ? given[name]?.[row++] ?? undefined : undefined));
}

/**
 * @param {Column} column
 * @param {number[]} t
 * @param {number} gap
 */
function breakLine(column, t, gap) {
  let before = -1;
  column.forEach((value, i) => {
    if (value === undefined) return;
    if (before >= 0 && t[i] - t[before] > gap) column[before + 1] = null;
    before = i;
  });
}

/**
 * Rows whose value has no neighbour: a line would not show them.
 * @param {Column} column
 */
function lonely(column) {
  /** @type {number[]} */
  const found = [];
  let run = 0;
  let last = -1;
  [...column, null].forEach((value, i) => {
    if (typeof value === "number") { run += 1; last = i; }
    if (value === null) { if (run === 1) found.push(last); run = 0; }
  });
  return found;
}
