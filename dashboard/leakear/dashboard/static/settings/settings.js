// Settings: who is notified and whether that works, a test message, and who did what.
import { get, h, post, say } from "../js/dom.js";
import { local, number, sentence, t, timeElement } from "../js/i18n.js";
import { me } from "../js/store.js";

const PLACES = ["latitude", "longitude"];

export function settingsPage() {
  const notify = h("div.log");
  const orders = h("div.log");
  const facts = h("dl.facts");
  const rows = h("tbody");
  const more = h("button", { hidden: true, onclick: () => audit(true) }, t("more"));
  let oldest = null;
  const element = h("main", { id: "main" }, h("div.page", null, h("div.inner", null, h("h1", null, t("settings")),
    h("div.columns", null,
      h("div", null,
        h("section.panel", null, h("h2", null, t("settings.notify")), notify, h("p.dim", null, t("settings.notify.hint"))),
        h("section.panel", null, h("h2", null, t("settings.orders")), orders, h("p.dim", null, t("settings.orders.hint"))),
        h("section.panel", null, h("h2", null, t("audit")), h("div.wide", { tabindex: 0, role: "region", "aria-label": t("audit") }, h("table", null,
          h("thead", null, h("tr", null, ["at", "who", "what", "target", "detail"].map((key) => h("th", { scope: "col" }, t(`audit.${key}`))))), rows)), more)),
      h("div", null, h("section.panel", null, h("h2", null, t("settings.facts")), facts))))));

  async function load() {
    const known = await get("/api/settings");
    notify.replaceChildren(...(known.notify.length ? known.notify.map(address) : [h("p", null, t("settings.notify.none"))]));
    orders.replaceChildren(...(known.webhooks.length ? known.webhooks.map(order) : [h("p", null, t("settings.orders.none"))]));
    const put = (key, value) => [h("dt", null, t(`settings.${key}`)), h("dd", null, value)];
    facts.replaceChildren(...put("language", known.language), ...put("public", known.public_url ?? "–"), ...put("stale", `${number(known.stale_after)} s`),
      ...put("lost", `${number(known.lost_after)} s`), ...put("health", known.health_report ?? t("settings.off")), ...put("keep", `${number(known.keep_days)} d`));
    await audit();
  }

  async function audit(further = false) {
    const { rows: found } = await get(`/api/actions${further && oldest ? `?before=${oldest}` : ""}`);
    const drawn = found.map((one) => h("tr", null, h("td", null, timeElement(one.at)), h("td", null, one.who), h("td", null, t(`did.${one.what}`)), h("td", null, one.target), h("td", null, details(one.detail))));
    further ? rows.append(...drawn) : rows.replaceChildren(...drawn);
    oldest = found.at(-1)?.id ?? oldest;
    more.hidden = found.length < 200;
  }

  load();
  return { element, close: () => {}, title: t("settings") };
}

/** Details of an action: figures by name, or a sentence. */
function details(text) {
  if (!text.startsWith("{")) return text;
  try {
    const given = Object.entries(JSON.parse(text)).filter(([, value]) => value !== null && value !== "");
    return given.map(([key, value]) => `${t(`detail.${key}`)}: ${figure(key, value)}`).join(" · ");
  } catch { return text; }
}

function figure(key, value) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value === "number") return number(value, Number.isInteger(value) ? 0 : PLACES.includes(key) ? 5 : 2);
  const known = { source: "map.source", material: "pipe.material" }[key];
  if (known) return t(`${known}.${value}`);
  return key === "mute_until" ? local(Date.parse(value) / 1000) : String(value);
}

function address(one) {
  const said = h("span", { role: "status" });
  const button = me.operates ? h("button", { "data-test": one.number, onclick: async () => {
    button.disabled = true;
    say(said, t("settings.testing"));
    const { ok, why } = await post(`/api/settings/test/${one.number}`).catch((error) => ({ ok: false, why: error.message }));
    say(said, ok ? t("settings.test.ok") : why ? sentence(why) : t("settings.test.failed"));
    said.dataset.ok = String(ok);
    button.disabled = false;
  } }, t("settings.test")) : null;
  return h("div.answer", { "data-look": one.trouble ? "leak" : "ok", "data-address": one.number }, h("div.row", null,
    h("strong", null, t("settings.address", { number: one.number, kind: one.kind })),
    h("span", null, one.trouble ? t("settings.failing", { count: number(one.waiting) }) : t("settings.works")), button, said));
}

function order(one) {
  return h(one.trouble ? "div.answer.bad" : "div.answer", { "data-order": one.number }, h("strong", null, `${one.number}: ${one.kind}://${one.host}`),
    h("span", null, one.trouble ? `${sentence(one.trouble)} · ${t("settings.waiting", { count: number(one.waiting) })}` : t("settings.waiting", { count: number(one.waiting) })));
}
