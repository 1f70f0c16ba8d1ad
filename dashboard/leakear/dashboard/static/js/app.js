// The frame: log-in, header, and which page stands at which address.
import { ICONS, get, h, icon, post, say } from "./dom.js";
import { LANGUAGES, choose, language, load, sentence, t } from "./i18n.js";
import { connect, fleet, me, on } from "./store.js";
import { fleetPage } from "./fleet.js";
import { nodePage } from "./node.js";
import { alertsPage, counter } from "./alerts.js";
import { deployPage } from "./deploy.js";
import { bell, toasts } from "./alarm.js";
import { casesPage } from "../cases/cases.js";
import { casePage } from "../cases/case.js";
import { pipesPage } from "./pipes/list.js";
import { pipePage } from "./pipes/pipe.js";

const app = document.getElementById("app");
let current = null;
let links = [];

function theme() {
  const wished = localStorage.getItem("leakear.theme");
  const dark = wished ? wished === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.querySelector("meta[name=theme-color]").content = dark ? "#141c21" : "#ffffff";
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
    const state = !fleet.live ? "lost" : fleet.line.connected ? "live" : "broker";
    line.dataset.line = state === "live" ? "up" : "down";
    line.dataset.state = state;
    say(line.firstChild, t(`line.${state}`));
    const trouble = fleet.live ? fleet.line.trouble : null;
    const shown = document.querySelector(".trouble");
    shown.hidden = !trouble;
    say(shown, sentence(trouble));
  };
  on("line", draw);
  queueMicrotask(draw);
  const link = (path, key, extra) => h("a", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, t(key), extra);
  links = [link("/", "fleet"), link("/alerts", "alerts", counter()), link("/cases", "cases"), link("/pipes", "pipes"), link("/deploy", "deploy")];
  const leave = h("button.icon", { title: t("logout"), onclick: async () => { await post("/api/logout"); location.assign("/login"); } }, icon(ICONS.out), h("span.hidden-text", null, t("logout")));
  return h("header.top", null,
    h("a.brand", { href: "/", onclick: (e) => { e.preventDefault(); go("/"); } }, h("img", { src: "/static/icon.svg", alt: "" }), "leakear"),
    h("nav.main", { "aria-label": t("pages") }, links), h("span.spring"), line, bell(), themeButton(), languageChoice(),
    me.local ? null : [h("span.who", { title: t(`role.${me.role}`) }, me.name), leave]);
}

export function go(path) {
  if (path !== location.pathname) history.pushState(null, "", path);
  show();
}

function show() {
  const [, first, site, name] = location.pathname.split("/").map(decodeURIComponent);
  current?.close();
  if (first === "node") current = nodePage(go, site, name);
  else if (first === "alerts") current = alertsPage(go);
  else if (first === "deploy") current = deployPage(go);
  else if (first === "cases") current = site ? casePage(go, site) : casesPage(go);
  else if (first === "pipes") current = site ? pipePage(go, site) : pipesPage(go);
  else current = fleetPage(go);
  document.title = `${current.title} – leakear`;
  app.querySelector("main")?.remove();
  app.append(current.element);
  links.forEach((link) => {
    const here = link.getAttribute("href") === (["alerts", "cases", "deploy", "pipes"].includes(first) ? `/${first}` : "/");
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
      location.assign("/");
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
  if (location.pathname === "/login") history.replaceState(null, "", "/");
  app.append(h("a.skip", { href: "#main" }, t("skip")), header(), h("div.trouble", { role: "alert", hidden: true }), toasts(go));
  addEventListener("popstate", show);
  on("stranger", () => location.assign("/login"));
  show();
  connect();
}

start();
