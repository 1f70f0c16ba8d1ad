// Leaflet and supercluster, fetched when a map is first opened.
import { address } from "../js/dom.js";

/**
 * @typedef {typeof import("leaflet")} Leaflet
 * @typedef {{ L: Leaflet, Supercluster: typeof import("supercluster") }} Libraries
 */

/** @type {Promise<Libraries> | null} */
let loading = null;

/** @returns {Promise<Libraries>} */
export function libraries() {
  loading ??= Promise.all([
    loaded("link", { rel: "stylesheet", href: address("/static/vendor/leaflet/leaflet.css") }),
    loaded("link", { rel: "stylesheet", href: address("/static/css/map.css") }),
    loaded("script", { src: address("/static/vendor/leaflet/leaflet.js") }),
    loaded("script", { src: address("/static/vendor/supercluster/supercluster.min.js") }),
  ]).then(() => {
    const { L, Supercluster } = /** @type {any} */ (globalThis);
    return { L, Supercluster };
  });
  return loading;
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 */
function loaded(tag, attributes) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.addEventListener("load", resolve, { once: true });
    element.addEventListener("error", reject, { once: true });
    document.head.append(element);
  });
}
