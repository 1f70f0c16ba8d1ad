// Texts, numbers and times in the reader's language; times in the reader's zone, with UTC on hover.
import { h } from "./dom.js";

export const LANGUAGES = ["en", "pt-BR"];
let texts = {};
let sentences = [];
const formats = new Map();
export let language = "en";

/** Load the language that was chosen, or that the browser asks for. */
export async function load() {
  const asked = [localStorage.getItem("leakear.language"), ...navigator.languages].filter(Boolean);
  language = asked.map(known).find(Boolean) ?? "en";
  texts = await (await fetch(`/static/texts/${language}.json`)).json();
  document.documentElement.lang = language;
  if (language === "en") return;
  const said = await (await fetch(`/static/texts/sentences.${language}.json`)).json();
  sentences = Object.entries(said).map(([template, translation]) => [pattern(template), translation]);
}

function pattern(template) {
  return new RegExp(`^${template.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("(.+?)")}$`, "s");
}

/** What a node or the server says, in the reader's language, clause by clause; an unknown sentence stays as it is. */
export function sentence(text) {
  const clauses = (text ?? "").split("; ").map(translation);
  return clauses.includes(null) ? translation(text ?? "") ?? text : clauses.join("; ");
}

function translation(text) {
  if (texts[`fault.${text}`]) return texts[`fault.${text}`];
  for (const [wanted, translated] of sentences) {
    const found = wanted.exec(text);
    if (!found) continue;
    let n = 0;
    return translated.replace(/\{(\w+)\}/g, (_, name) => meaning(name, found[++n]));
  }
  return null;
}

/** One value of a sentence: names of faults and states have words of their own. */
function meaning(name, value) {
  if (name === "faults") return value.split(", ").map((fault) => t(`fault.${fault}`)).join(", ");
  return name === "state" ? t(`state.${value}`) : value;
}

function known(tag) {
  return LANGUAGES.find((name) => name === tag) ?? LANGUAGES.find((name) => name.split("-")[0] === tag.split("-")[0]);
}

export function choose(name) {
  localStorage.setItem("leakear.language", name);
  location.reload();
}

/** The text of a key; {name} is replaced by a value. A word that no key knows (a new fault of a node) stands for itself. */
export function t(key, values) {
  const text = texts[key] ?? key.slice(key.indexOf(".") + 1);
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "") : text;
}

export function number(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  if (!formats.has(digits)) formats.set(digits, new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return formats.get(digits).format(value);
}

export function level(value) {
  return value === null || value === undefined ? "–" : number(value, 1);
}

/** "3 min", from seconds. */
export function span(seconds) {
  if (seconds < 1) return t("now");
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function ago(posix, now) {
  return posix === null || posix === undefined ? t("never") : span(Math.max(0, now - posix));
}

export function utc(posix) {
  return new Date(posix * 1000).toISOString().replace("T", " ").replace("Z", " UTC");
}

export function local(posix) {
  return new Date(posix * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
}

/** A <time> in the reader's zone; UTC on hover. */
export function timeElement(posix) {
  if (posix === null || posix === undefined) return h("span", null, "–");
  return h("time", { datetime: new Date(posix * 1000).toISOString(), title: utc(posix) }, local(posix));
}
