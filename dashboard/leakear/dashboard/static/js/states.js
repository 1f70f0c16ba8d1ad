// How a node looks: a colour, a shape and a word for each state, and which comes first.
import { h, icon } from "./dom.js";
import { number, t } from "./i18n.js";

const DROP = [["M12 2.500C9 7 5.5 10 5.5 14.500a6.5 6.5 0 0 0 13 0C18.5 10 15 7 12 2.500z", true]];
const TRIANGLE = [["M12 3.500L22 20.500H2z"], ["M12 10v4.500M12 17.500v.1"]];
const CROSS = [["M4 4h16v16H4zM8.5 8.500l7 7M15.5 8.500l-7 7"]];
const WAVES = [["M2 9c2.5-4 4.5-4 7 0s4.5 4 7 0s4.5-4 6-1M2 16c2.5-4 4.5-4 7 0s4.5 4 7 0s4.5-4 6-1"]];
const TICK = [["M12 2.500a9.5 9.5 0 1 0 0 19a9.5 9.5 0 0 0 0-19M7.5 12.500l3 3l6-6.5"]];
const CLOCK = [["M12 2.500a9.5 9.5 0 1 0 0 19a9.5 9.5 0 0 0 0-19M12 7v5.500l3.5 2"]];
const MOON = [["M20 14.500A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.500 10.500z"]];
const SLASH = [["M12 2.500a9.5 9.5 0 1 0 0 19a9.5 9.5 0 0 0 0-19M5.5 5.500l13 13"]];
const QUESTION = [["M12 2.500a9.5 9.5 0 1 0 0 19a9.5 9.5 0 0 0 0-19M9 9.500a3 3 0 1 1 4 2.700c-.8.4-1 .9-1 1.800M12 17v.1"]];
const QUEUE = [["M4 6h16M4 12h16M4 18h9"]];
const CHIP = [["M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4"]];

/** @type {Record<string, [string, any[][]]>} */
const LOOKS = {
  LEAK: ["leak", DROP], SENSOR_FAULT: ["fault", CROSS], WARNING: ["warning", TRIANGLE], NOISY: ["noisy", WAVES],
  OK: ["ok", TICK], stale: ["gone", SLASH], offline: ["gone", SLASH], waiting: ["gone", CLOCK], judged: ["gone", TICK], UNKNOWN: ["gone", QUESTION],
  lost: ["gone", SLASH], back: ["ok", TICK], dropped: ["warning", QUEUE], model: ["noisy", CHIP], fault: ["fault", CROSS],
  test: ["ok", TICK], asleep: ["gone", MOON],
};

/** The tiles of the fleet, in order of urgency; each node is in exactly one. */
export const GROUPS = ["LEAK", "SENSOR_FAULT", "gone", "WARNING", "NOISY", "asleep", "OK"];
/** @type {Record<string, number>} */
const RANK = { LEAK: 0, SENSOR_FAULT: 1, gone: 2, WARNING: 3, NOISY: 4, asleep: 5, OK: 6 };

/**
 * What a node is called at first sight. A leak stays a leak when its node falls silent.
 * @param {{ state: string, presence: string, judged?: boolean }} node
 */
export function shown(node) {
  if (node.judged) return "judged";
  if (node.state === "LEAK" || node.presence === "online" || node.presence === "waiting") return node.state;
  if (node.presence === "asleep" && (node.state === "WARNING" || node.state === "SENSOR_FAULT")) return node.state;
  return node.presence;
}

/** @param {{ state: string, presence: string }} node */
export function group(node) {
  const name = shown(node);
  if (name === "judged") return "OK";
  if (name === "stale" || name === "offline" || name === "UNKNOWN") return "gone";
  return name in RANK ? name : "gone";
}

/** @param {{ state: string, presence: string }} node */
export function rank(node) {
  return RANK[group(node)];
}

/** @param {string} name of a state */
export function look(name) {
  return (LOOKS[name] ?? LOOKS.UNKNOWN)[0];
}

/** @param {string} name of a state */
export function shape(name) {
  return icon((LOOKS[name === "gone" ? "stale" : name] ?? LOOKS.UNKNOWN)[1]);
}

/** @param {string} name of a state */
export function word(name) {
  return t(`state.${name}`);
}

/**
 * @param {string} name of a state
 * @param {boolean} [large]
 * @param {boolean} [judged] a person has found that it was none: it keeps its word and loses its colour
 */
export function badge(name, large = false, judged = false) {
  return h(large ? "span.badge.large" : "span.badge", { "data-look": judged ? "gone" : look(name) }, shape(name), word(name));
}

/**
 * Whether nothing is heard of a node although it should be.
 * @param {{ presence: string }} node
 */
export function silent(node) {
  return node.presence === "stale" || node.presence === "offline";
}

/**
 * What a node that still learns its place may say; empty for any other.
 * @param {any} node
 */
export function learning({ learning: known }) {
  return known ? t(`learning.${known.may_say}`, { nights: number(known.nights_known) }) : "";
}

/**
 * The one word that an entry of the log is about.
 * @param {any} event
 */
export function subject(event) {
  return event.kind === "state" ? event.to_state : event.kind;
}
