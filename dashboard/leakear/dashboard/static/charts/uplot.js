// uPlot, which index.html has loaded before the modules run.

/** @type {typeof import("uplot")} */
export const uPlot = /** @type {any} */ (globalThis).uPlot;
