// Reports: a month or a case as HTML and PDF, tables for a spreadsheet, visits for a calendar, the health of the fleet.
import { get, h } from "../js/dom.js";
import { language, number, sentence, t } from "../js/i18n.js";

/** kinds of problems whose reason is a list of faults */
const FAULTS = ["deaf", "power"];
const TABLES = ["alarms", "nights", "cases", "nodes"];

export function reportsPage(go) {
  const today = new Date();
  const month = h("input", { type: "month", name: "month", value: `${today.getFullYear()}-${String(today.getMonth() + 1).padStart(2, "0")}`, onchange: () => draw() });
  const links = h("div.buttons");
  const health = h("div.log");
  const draw = () => links.replaceChildren(...["html", "pdf"].map((kind) => h("a.button", { "data-report": kind, href: `/api/reports/month?month=${month.value}&format=${kind}&language=${language}`, target: kind === "html" ? "_blank" : null, download: kind === "pdf" ? "" : null }, t(`report.${kind}`))));
  draw();
  const element = h("main", { id: "main" }, h("div.page", null, h("div.inner", null, h("h1", null, t("reports")),
    h("div.columns", null,
      h("div", null,
        h("section.panel", null, h("h2", null, t("report.month")), h("label", null, t("report.month"), month), links, h("p.dim", null, t("report.hint"))),
        h("section.panel", null, h("h2", null, t("health")), h("div.buttons", null, ["html", "pdf"].map((kind) => h("a.button", { "data-health": kind, href: `/api/reports/health?format=${kind}&language=${language}`, target: kind === "html" ? "_blank" : null, download: kind === "pdf" ? "" : null }, t(`report.${kind}`)))), health)),
      h("div", null,
        h("section.panel", null, h("h2", null, t("report.tables")), h("div.buttons", null, TABLES.map((name) => h("a.button", { "data-table": name, href: `/api/reports/${name}.csv`, download: "" }, t(`report.table.${name}`)))), h("p.dim", null, t("report.tables.hint"))),
        h("section.panel", null, h("h2", null, t("report.visits")), h("div.buttons", null, h("a.button", { href: "/api/reports/visits.ics", download: "" }, t("report.ics")))))))));

  async function load() {
    const found = await get("/api/reports/health");
    const rows = Object.entries(found.problems).map(([kind, nodes]) => h("div.answer", { "data-problem": kind, "data-look": nodes.length ? "warning" : "ok" },
      h("strong", null, `${t(`health.${kind}`)}: ${number(nodes.length)}`),
      nodes.length ? h("div", null, t(`health.do.${kind}`)) : null,
      nodes.length ? h("div.meta", null, nodes.slice(0, 50).map(([site, node, why]) => link(go, site, node, why && words(kind, why)))) : null));
    health.replaceChildren(h("p", null, t("health.count", { nodes: number(found.nodes) })), ...rows,
      h("div.answer", null, h("strong", null, t("health.versions")), h("span", null, Object.entries(found.versions).map(([name, count]) => `${name.replace(/^model /, `${t("fact.model").toLowerCase()} `)}: ${number(count)}`).join(" · ") || "–")));
  }

  load();
  return { element, close: () => {}, title: t("reports") };
}

/** What is wrong with a node: names of faults, or a figure. */
function words(kind, why) {
  return FAULTS.includes(kind) ? why.split(", ").map(sentence).join(", ") : t(`health.why.${kind}`, { why: kind === "drifting" && language !== "en" ? why.replace(".", ",") : why });
}

function link(go, site, node, why) {
  const path = `/node/${encodeURIComponent(site)}/${encodeURIComponent(node)}`;
  return h("a", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, `${node} · ${site}${why ? ` (${why})` : ""}`);
}
