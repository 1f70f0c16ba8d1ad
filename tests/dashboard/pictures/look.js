// Runs in the page that is looked at, whose width is given: returns {flaws: [[kind, what]], texts: [[where, text]]}.
const width = arguments[0];
const flaws = [];
const texts = [];
const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const name = (e) => `${e.tagName.toLowerCase()}${[...e.classList].map((c) => `.${c}`).join("")}`;
const place = (e) => [e.parentElement?.parentElement, e.parentElement, e].filter(Boolean).map(name).join(" > ").slice(-90);
const say = (text) => text.replace(/\s+/g, " ").trim().slice(0, 100);
const tell = (kind, what) => flaws.push([kind, what]);

/** A colour as [red, green, blue, opacity]. */
const colours = new Map();
function colour(text) {
  if (!colours.has(text)) {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = "#000";
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    colours.set(text, [r, g, b, a / 255]);
  }
  return colours.get(text);
}
const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
function ground(element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const found = colour(getComputedStyle(e).backgroundColor);
    if (found[3] > 0) layers.push(found);
    if (found[3] === 1) break;
  }
  const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches;
  return layers.reverse().reduce((below, layer) => over(layer, below), dark ? [18, 18, 18] : [255, 255, 255]);
}
const bright = (c) => c.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
function contrast(one, other) {
  const [a, b] = [bright(one), bright(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
function faint(element, ink, text) {
  const style = getComputedStyle(element);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const below = ground(element);
  let clear = 1;
  for (let e = element; e; e = e.parentElement) clear *= Number(getComputedStyle(e).opacity);
  const [r, g, b, a] = colour(ink);
  const found = contrast(over([r, g, b, a * clear], below), below);
  if (found < (large ? 3 : 4.5)) tell("faint", `${found.toFixed(2)} ${say(text)} in ${place(element)}`);
}

// ---- what is seen

const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !e.closest(".hidden-text, .skip, noscript, .leaflet-control-attribution");
/** Whether an element paints a box that its text should stay in. */
function boxed(element) {
  const style = getComputedStyle(element);
  return colour(style.backgroundColor)[3] > 0.02 || parseFloat(style.borderRightWidth) > 0 || parseFloat(style.borderBottomWidth) > 0;
}
function spills(element, rect) {
  let box = element;
  for (; box && !boxed(box); box = box.parentElement) if (getComputedStyle(box).overflowY !== "visible") return false;
  if (!box || getComputedStyle(box).overflowY !== "visible") return false;
  const edge = box.getBoundingClientRect();
  return rect.right > edge.right + 1 || rect.left < edge.left - 1 || rect.bottom > edge.bottom + 3 || rect.top < edge.top - 3;
}
/** The part of a rectangle that its element's clipping parents leave; null: none. */
function within(element, { left, top, right, bottom }) {
  for (let e = element; e; e = e.parentElement) {
    if (getComputedStyle(e).overflowX === "visible") continue;
    const edge = e.getBoundingClientRect();
    [left, top, right, bottom] = [Math.max(left, edge.left), Math.max(top, edge.top), Math.min(right, edge.right), Math.min(bottom, edge.bottom)];
  }
  return right > left && bottom > top ? new DOMRect(left, top, right - left, bottom - top) : null;
}
const boxes = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || ["SCRIPT", "STYLE", "OPTION", "TITLE"].includes(element.tagName) || !shown(element)) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const rects = [...range.getClientRects()].filter((r) => r.width > 1 && r.height > 1);
  if (!rects.length) continue;
  if (!element.closest("code, .mono, pre")) texts.push([place(element), say(node.data)]);
  const svg = element.closest("svg");
  if (!element.closest(":disabled")) faint(element, svg ? getComputedStyle(element).fill : getComputedStyle(element).color, node.data);
  if (!element.closest(".leaflet-container, .u-wrap")) for (const rect of rects) {
    if (!svg && spills(element, rect)) tell("spills", `${say(node.data)} in ${place(element)}`);
    const part = within(element, rect);
    if (part) boxes.push({ rect: part, element, text: node.data });
  }
}
for (const e of document.querySelectorAll("[title], [aria-label], [placeholder], [alt], option, optgroup")) {
  for (const key of ["title", "aria-label", "placeholder", "alt", "label"]) if (e.getAttribute(key)) texts.push([`${place(e)}[${key}]`, say(e.getAttribute(key))]);
  if (e.tagName === "OPTION") texts.push([place(e), say(e.textContent)]);
}

// ---- nothing is scrolled sideways, nothing is cut off, nothing lies over something else

const aside = ".wide, .leaflet-container, .u-wrap, .hidden-text, .skip";
const page = document.scrollingElement;
if (Math.max(page.scrollWidth, innerWidth) > width) tell("sideways", `the page is ${Math.max(page.scrollWidth, innerWidth)} px wide in ${width}`);
for (const e of document.querySelectorAll("body *")) {
  if (e.closest(aside) || !shown(e)) continue;
  const style = getComputedStyle(e);
  const rect = e.getBoundingClientRect();
  if (rect.width > 0 && rect.right > width + 1 && !e.closest("svg")) tell("sideways", `${place(e)} ends at ${Math.round(rect.right)} px`);
  if (["auto", "scroll"].includes(style.overflowX) && e.scrollWidth > e.clientWidth + 1 && !["TEXTAREA", "SELECT"].includes(e.tagName)) tell("sideways", `${place(e)} is scrolled by ${e.scrollWidth - e.clientWidth} px`);
  const clips = ["hidden", "clip"].includes(style.overflowX) || ["hidden", "clip"].includes(style.overflowY);
  const text = e.innerText?.trim();
  if (clips && text && !["INPUT", "SELECT"].includes(e.tagName)) {
    if (e.scrollWidth > e.clientWidth + 3) {
      if (style.textOverflow !== "ellipsis") tell("cut", `${say(text)} in ${place(e)}`);
      else if (!e.closest("[title]")) tell("cut", `… without a title: ${say(text)} in ${place(e)}`);
    }
    if (e.scrollHeight > e.clientHeight + 3 && style.overflowY !== "visible" && !["auto", "scroll"].includes(style.overflowY)) tell("cut", `below: ${say(text)} in ${place(e)}`);
  }
  const typed = e.tagName === "SELECT" ? e.selectedOptions[0]?.textContent : e.tagName === "INPUT" && !e.value ? e.placeholder : "";
  if (typed) {
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const room = e.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - (e.tagName === "SELECT" ? 14 : 0);
    if (pen.measureText(typed).width > room + 1 && style.textOverflow !== "ellipsis") tell("cut", `${say(typed)} in ${place(e)} (${Math.round(room)} px)`);
  }
}
boxes.sort((a, b) => a.rect.top - b.rect.top);
const seen = ({ rect }) => rect.bottom > 0 && rect.top < innerHeight && rect.right > 0 && rect.left < innerWidth;
const front = ({ rect, element }) => {
  for (const hit of document.elementsFromPoint(rect.left + rect.width / 2, rect.top + rect.height / 2)) {
    if (element.contains(hit) || hit.contains(element)) return true;
    if (colour(getComputedStyle(hit).backgroundColor)[3] > 0.5) return false; // it lies over this text, as a menu does
  }
  return false;
};
boxes.forEach((one, i) => {
  for (let n = i + 1; n < boxes.length && boxes[n].rect.top < one.rect.bottom - 3; n++) {
    const other = boxes[n];
    const wide = Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
    const high = Math.min(one.rect.bottom, other.rect.bottom) - other.rect.top;
    if (wide > 2 && high > 4 && one.element !== other.element && seen(one) && seen(other) && front(one) && front(other)) {
      tell("overlap", `${say(one.text)} and ${say(other.text)} in ${place(other.element)}`);
    }
  }
});
return { flaws, texts };
