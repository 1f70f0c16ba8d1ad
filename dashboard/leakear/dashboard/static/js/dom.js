// Elements are built here and nowhere else: text goes in as text, so what a node sends can never become markup.

/** What a proxy has put in front of the dashboard's own paths: "" or "/leaks". This file's own address shows it. */
const PREFIX = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/**
 * The address of one of the dashboard's paths, "/api/me", wherever a proxy has put them.
 * @param {string} path
 */
export function address(path) {
  return PREFIX + path;
}

/** The path of the dashboard's page that is shown. */
export function shownPath() {
  return location.pathname.slice(PREFIX.length);
}

/**
 * h("button.primary", {onclick, title}, "text", child, …); an `href` or `src` that begins with / is one of our paths.
 * @param {string} name tag and classes
 * @param {Record<string, any> | null} [attributes]
 * @param {any[]} children texts, elements, lists of them; null, undefined and false are left out
 * @returns {any} the element; its type is known to who names the tag
 */
export function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = /** @type {any} */ (document.createElement(tag || "div"));
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") element[key] = value;
    else if ((key === "href" || key === "src") && value.startsWith("/")) element.setAttribute(key, address(value));
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Set a text only where it differs: the browser then has nothing to lay out.
 * @param {Element} element
 * @param {string | null | undefined} text
 */
export function say(element, text) {
  const wanted = text ?? "";
  if (element.textContent !== wanted) element.textContent = wanted;
}

/**
 * Give an element these children. One that stays is not taken out in between: it keeps what was typed into it, its
 * focus, and the sound it plays.
 * @param {Element} element
 * @param {any[]} wanted
 */
export function fill(element, wanted) {
  for (const child of [...element.childNodes]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, i) => { if (element.childNodes[i] !== child) element.insertBefore(child, element.childNodes[i] ?? null); });
}

/**
 * An icon from paths on a 24 × 24 grid; each is [d, filled].
 * @param {any[][]} shapes
 */
export function icon(shapes) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const [d, filled] of shapes) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", d);
    path.setAttribute("fill", filled ? "currentColor" : "none");
    if (!filled) {
      path.setAttribute("stroke", "currentColor");
      path.setAttribute("stroke-width", "2");
      path.setAttribute("stroke-linecap", "round");
      path.setAttribute("stroke-linejoin", "round");
    }
    svg.append(path);
  }
  return svg;
}

export const ICONS = {
  bell: [["M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 21h4"]],
  bellOff: [["M8 6.500A6 6 0 0 1 18 11v4M6 11v5l-1.5 2H17M10 21h4M4 4l16 16"]],
  sun: [["M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.400M17.6 17.600L19 19M19 5l-1.4 1.400M6.4 17.600L5 19"]],
  moon: [["M20 14.500A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.500z"]],
  out: [["M14 4h5v16h-5M4 12h10M10 8l4 4-4 4"]],
  back: [["M15 5l-7 7 7 7"]],
};

/**
 * POST JSON; gives the answer, or throws a Failure with the server's sentence.
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
export async function post(path, body) {
  const answer = await fetch(address(path), {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}),
  });
  return settle(answer);
}

/**
 * GET JSON, in the same way.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  return settle(await fetch(address(path)));
}

/** @typedef {Error & { status?: number, data?: any }} Failure what the server refused */

/** @param {Response} answer */
async function settle(answer) {
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = /** @type {Failure} */ (new Error(data.error ?? `${answer.status} ${answer.statusText}`));
    error.status = answer.status;
    error.data = data;
    throw error;
  }
  return data;
}
