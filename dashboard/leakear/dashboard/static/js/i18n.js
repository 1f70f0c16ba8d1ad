// Texts, numbers and times in the reader's language; times in the reader's zone, with UTC on hover.
import { address, h } from "./dom.js";

export const LANGUAGES = ["en", "pt-BR"];
/** Clauses of a sentence that are translated one by one. */
const CLAUSES = 20;
/** @type {Record<string, string>} */
let texts = {};
/** @type {[string[], string][]} */
let sentences = [];
const formats = new Map();
export let language = "en";

/** Load the language that was chosen, or that the browser asks for. */
export async function load() {
  const asked = [localStorage.getItem("leakear.language"), ...navigator.languages].filter(Boolean);
  language = asked.map((tag) => known(/** @type {string} */ (tag))).find(Boolean) ?? "en";
  texts = await (await fetch(address(`/static/texts/${language}.json`))).json();
  document.documentElement.lang = language;
  const said = await (await fetch(address(`/static/texts/sentences.${language}.json`))).json();
  sentences = Object.entries(said).map(([template, words]) => [template.split(/\{\w+\}/), /** @type {string} */ (words)]);
}

/**
 * The values between the parts, each the shortest possible, none empty; null: it is another sentence. No regular
 * expression: it would take the power of the number of values of a hostile text's length.
 * @param {string[]} parts
 * @param {string} text
 * @returns {string[] | null}
 */
function valuesOf([first, ...rest], text) {
  const last = rest.pop();
  if (last === undefined) return text === first ? [] : null;
  const end = text.length - last.length;
  if (!text.startsWith(first) || !text.endsWith(last)) return null;
  const values = [];
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at + 1);
    if (found < 0 || found + part.length > end) return null;
    values.push(text.slice(at, found));
    at = found + part.length;
  }
  return at < end ? [...values, text.slice(at, end)] : null;
}

/**
 * What a node or the server says, in the reader's language, clause by clause; an unknown sentence stays as it is.
 * @param {string | null | undefined} text
 * @returns {string}
 */
export function sentence(text) {
  const said = (text ?? "").split("; ");
  const clauses = said.length > CLAUSES ? [null] : said.map(translation);
  return clauses.includes(null) ? translation(text ?? "") ?? text ?? "" : clauses.join("; ");
}

/**
 * @param {string} text
 * @returns {string | null}
 */
function translation(text) {
  if (texts[`fault.${text}`]) return texts[`fault.${text}`];
  for (const [parts, translated] of sentences) {
    const found = valuesOf(parts, text);
    if (!found) continue;
    let n = 0;
    return translated.replace(/\{(\w+)\}/g, (_, name) => meaning(name, found[n++]));
  }
  return null;
}

/**
 * One value of a sentence: names of faults and states have words of their own, and figures the reader's decimal point.
 * @param {string} name
 * @param {string} value
 */
function meaning(name, value) {
  if (name === "faults") return value.split(", ").map((fault) => t(`fault.${fault}`)).join(", ");
  if (/^-?\d+\.\d+$/.test(value)) return number(Number(value), value.length - value.indexOf(".") - 1);
  return name === "state" ? t(`state.${value}`) : value;
}

/** @param {string} tag */
function known(tag) {
  return LANGUAGES.find((name) => name === tag) ?? LANGUAGES.find((name) => name.split("-")[0] === tag.split("-")[0]);
}

/** @param {string} name */
export function choose(name) {
  localStorage.setItem("leakear.language", name);
  location.reload();
}

/**
 * The text of a key; {name} is replaced by a value. A word that no key knows (a new fault of a node) stands for itself.
 * @param {string} key
 * @param {Record<string, any>} [values]
 */
export function t(key, values) {
  const text = texts[key] ?? key.slice(key.indexOf(".") + 1);
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "") : text;
}

/**
 * @param {number | null | undefined} value
 * @param {number} [digits] after the point
 * @returns {string}
 */
export function number(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  if (!formats.has(digits)) formats.set(digits, new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return formats.get(digits).format(value);
}

/** @param {number | null | undefined} value dBFS */
export function level(value) {
  return value === null || value === undefined ? "–" : number(value, 1);
}

/**
 * "3 min", from seconds.
 * @param {number} seconds
 */
export function span(seconds) {
  if (seconds < 1) return t("now");
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/**
 * @param {number | null | undefined} posix
 * @param {number} now
 */
export function ago(posix, now) {
  return posix === null || posix === undefined ? t("never") : span(Math.max(0, now - posix));
}

/** @param {number} posix */
export function utc(posix) {
  return new Date(posix * 1000).toISOString().replace("T", " ").replace("Z", " UTC");
}

/** @param {number} posix */
export function local(posix) {
  return new Date(posix * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
}

/**
 * A <time> in the reader's zone; UTC on hover.
 * @param {number | null | undefined} posix
 */
export function timeElement(posix) {
  if (posix === null || posix === undefined) return h("span", null, "–");
  return h("time", { datetime: new Date(posix * 1000).toISOString(), title: utc(posix) }, local(posix));
}
