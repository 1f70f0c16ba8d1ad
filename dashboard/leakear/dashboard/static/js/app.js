// The frame: log-in, header, and which page stands at which address.
import { ICONS, address, get, h, icon, post, say, shownPath } from "./dom.js";
import { LANGUAGES, choose, language, load, sentence, t } from "./i18n.js";
import { connect, fleet, follow, look, me, on } from "./store.js";
import { fleetPage } from "./fleet.js";
import { nodePage } from "./node.js";
import { alertsPage, counter } from "./alerts.js";
import { deployPage } from "./deploy.js";
import { bell, toasts } from "./alarm.js";
import { casesPage } from "../cases/cases.js";
import { casePage } from "../cases/case.js";
import { mapPage } from "../map/map.js";
import { pipesPage } from "./pipes/list.js";
import { pipePage } from "./pipes/pipe.js";
import { helpPage } from "../help/help.js";
import { quietPage } from "../quiet/quiet.js";
import { reportsPage } from "../reports/reports.js";
import { settingsPage } from "../settings/settings.js";

const PAGES = ["alerts", "cases", "deploy", "map", "pipes", "quiet", "reports", "settings", "help"];
const app = document.getElementById("app");
let current = null;
let links = [];

function theme() {
  const wished = localStorage.getItem("leakear.theme");
  const dark = wished ? wished === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.querySelector("meta[name=theme-color]").setAttribute("content", dark ? "#141c21" : "#ffffff");
  dispatchEvent(new Event("themed"));
  return dark;
}

function themeButton() {
  const button = h("button.icon", {
    title: t("theme"), onclick: () => { localStorage.setItem("leakear.theme", theme() ? "light" : "dark"); draw(); },
  });
  const draw = () => button.replaceChildren(icon(theme() ? ICONS.sun : ICONS.moon), h("span.hidden-text", null, t("theme")));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  return button;
}

function languageChoice() {
  const names = { en: "EN", "pt-BR": "PT" };
  return h("select", { "aria-label": t("language"), onchange: (e) => choose(e.target.value) },
    LANGUAGES.map((name) => h("option", { value: name, selected: name === language }, names[name])));
}

function header() {
  const line = h("span.line", { role: "status" }, h("span.words"));
  const draw = () => {
    const state = !fleet.live ? "lost" : !fleet.line.connected ? "broker" : fleet.line.heard === false ? "nothing" : "live";
    line.dataset.line = state === "live" ? "up" : state === "nothing" ? "quiet" : "down";
    line.dataset.state = state;
    say(line.firstChild, t(`line.${state}`));
    line.title = t(`line.${state}`);
    const trouble = fleet.live ? fleet.line.trouble : null;
    const shown = /** @type {HTMLElement} */ (document.querySelector(".trouble"));
    shown.hidden = !trouble;
    say(shown, sentence(trouble));
  };
  on("line", draw);
  queueMicrotask(draw);
  const link = (path, key, extra) => h("a", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, t(key), extra);
  links = [link("/", "fleet"), link("/alerts", "alerts", counter()), link("/cases", "cases"), link("/map", "map"), link("/pipes", "pipes"), link("/quiet", "quiet"), link("/reports", "reports"), link("/deploy", "deploy"), link("/settings", "settings")];
  const leave = h("button.icon", { title: t("logout"), onclick: async () => { await post("/api/logout"); location.assign(address("/login")); } }, icon(ICONS.out), h("span.hidden-text", null, t("logout")));
  return h("header.top", null,
    h("a.brand", { href: "/", onclick: (e) => { e.preventDefault(); go("/"); } }, h("img", { src: "/static/icon.svg", alt: "" }), "leakear"),
    h("nav.main", { "aria-label": t("pages") }, links), h("span.spring"), line, link("/help", "help.short"), bell(), themeButton(), languageChoice(),
    me.local ? null : [h("span.who", { title: t(`role.${me.role}`) }, me.name), me.by_proxy ? null : leave]);
}

export function go(path) {
  if (path !== shownPath()) history.pushState(null, "", address(path));
  show(true);
}

/** Show what the address says; `moved`: somebody came from another page of ours, and the focus goes along. */
function show(moved = false) {
  const [, first, site, name] = shownPath().split("/").map(decodeURIComponent);
  current?.close();
  look(null);
  follow([]);
  if (first === "node") current = nodePage(go, site, name);
  else if (first === "alerts") current = alertsPage(go);
  else if (first === "deploy") current = deployPage(go);
  else if (first === "cases") current = site ? casePage(go, site) : casesPage(go);
  else if (first === "map") current = mapPage(go);
  else if (first === "help") current = helpPage();
  else if (first === "quiet") current = quietPage();
  else if (first === "reports") current = reportsPage(go);
  else if (first === "settings") current = settingsPage();
  else if (first === "pipes") current = site ? pipePage(go, site) : pipesPage(go);
  else current = fleetPage(go);
  document.title = `${current.title} – leakear`;
  app.querySelector("main")?.remove();
  app.append(current.element);
  if (moved) {
    current.element.tabIndex = -1;
    current.element.focus({ preventScroll: true });
  }
  links.forEach((link) => {
    const here = link.getAttribute("href") === address(PAGES.includes(first) ? `/${first}` : "/");
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  });
}

function loginPage() {
  const wrong = h("div.wrong", { role: "alert" });
  const name = h("input", { name: "name", autocomplete: "username", required: true, autofocus: true });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await post("/api/login", { name: name.value, password: password.value });
      location.assign(address("/"));
    } catch (error) {
      say(wrong, error.data?.error === "wait" ? t("login.wait", { seconds: error.data.seconds }) : t("login.wrong"));
      password.value = "";
    }
  };
  document.title = `${t("login")} – leakear`;
  app.replaceChildren(h("form.login", { onsubmit: submit },
    h("div.brand", null, h("img", { src: "/static/icon.svg", alt: "" }), "leakear"),
    h("label", null, t("login.name"), name), h("label", null, t("login.password"), password), wrong,
    h("button.primary", null, t("login")), languageChoice()));
  name.focus();
}

/** Without users: who has the address with the token may use the page. */
function startPage() {
  document.title = "leakear";
  app.replaceChildren(h("form.login", null,
    h("div.brand", null, h("img", { src: "/static/icon.svg", alt: "" }), "leakear"),
    h("p.start", null, t("login.start")), languageChoice()));
}

async function start() {
  // A relative address would change its meaning with the address of the page.
  document.querySelector("link[rel=icon]").setAttribute("href", address("/static/icon.svg"));
  theme();
  await load();
  try {
    Object.assign(me, await get("/api/me"));
  } catch (error) {
    if (error.status !== 401) throw error;
    if (error.data.start) startPage();
    else loginPage();
    return;
  }
  if (shownPath() === "/login") history.replaceState(null, "", address("/"));
  app.append(h("a.skip", { href: "#main" }, t("skip")), header(), h("div.trouble", { role: "alert", hidden: true }), toasts(go));
  addEventListener("popstate", () => show(true));
  on("stranger", () => location.assign(address("/login")));
  show();
  connect();
}

start();
