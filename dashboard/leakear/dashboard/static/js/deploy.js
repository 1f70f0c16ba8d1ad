// One signed model to one, some or all nodes, in waves; and back.
import { get, h, post, say } from "./dom.js";
import { sentence, t, timeElement } from "./i18n.js";
import { narrow } from "../fleet/narrow.js";
import { fleet, follow, me, on } from "./store.js";

const LARGEST = 8 * 2 ** 20;

export function deployPage(go) {
  const chosen = new Map();  // "site/node" → its box
  const sites = h("div.sites", { onchange: () => keep() });
  /** What was chosen stays here, whatever is searched for. */
  const keep = () => follow(fleet.part ? nodes() : []);
  const said = h("div.log", { role: "status", "aria-live": "polite" });
  const progress = h("section.panel", { hidden: true });
  const file = h("input", { type: "file", name: "model", accept: ".tflite" });
  const waves = h("select", { name: "waves" }, h("option", { value: "careful" }, t("deploy.careful")), h("option", { value: "all" }, t("deploy.all")));
  const trial = h("input", { type: "checkbox", name: "trial", checked: true });
  const to = h("select", { name: "to" }, h("option", { value: "" }, t("deploy.before")), h("option", { value: "factory" }, t("deploy.factory")), h("option", { value: "configured" }, t("deploy.configured")));
  const start = h("button.primary", { "data-command": "deploy", onclick: () => run(start, begin) }, t("deploy.start"));
  const back = h("button", { "data-command": "rollback", onclick: () => run(back, rollBack) }, t("deploy.rollback"));
  const stop = h("button", { "data-command": "stop", onclick: () => run(stop, async () => show((await post("/api/deploy/stop")).rollout)) }, t("deploy.stop"));
  const choice = me.operates ? h("section.panel", null, h("h2", null, t("deploy.choose")), narrow(), sites,
    h("h2", null, t("deploy.model")), h("p", null, t("deploy.hint")),
    h("div.buttons", null, file, h("label", null, waves), h("label", null, trial, " ", t("deploy.trial")), start),
    h("h2", null, t("deploy.back")), h("div.buttons", null, to, back), said) : null;
  const element = h("main", { id: "main" }, h("div.page.deploy", null, h("div.inner", null, h("div.titles", null, h("h1", null, t("deploy"))), progress, choice)));

  function drawNodes() {
    const marked = new Set(keys());
    chosen.clear();
    const bySite = new Map();
    for (const node of [...fleet.nodes.values()].sort((a, b) => a.site.localeCompare(b.site) || a.node.localeCompare(b.node))) {
      if (!bySite.has(node.site)) bySite.set(node.site, []);
      bySite.get(node.site).push(node);
    }
    sites.replaceChildren(...[...bySite].map(([site, nodes]) => {
      const boxes = nodes.map((node) => {
        const key = `${site}/${node.node}`;
        const box = h("input", { type: "checkbox", "data-node": key, checked: marked.has(key) });
        chosen.set(key, box);
        return h("label", null, box, node.node, h("span.dim", null, node.model ?? ""));
      });
      const all = h("input", { type: "checkbox", "data-site": site, onchange: () => nodes.forEach((node) => { chosen.get(`${site}/${node.node}`).checked = all.checked; }) });
      return h("fieldset", null, h("legend", null, h("label", null, all, site)), boxes);
    }));
    if (!bySite.size) sites.replaceChildren(t("nothing.yet"));
  }

  function keys() {
    return [...chosen].filter(([, box]) => box.checked).map(([key]) => key);
  }

  function nodes() {
    return keys().map((key) => key.split("/"));
  }

  async function run(button, act) {
    button.disabled = true;
    try {
      await act();
    } catch (error) {
      tell(false, sentence(error.message));
    }
    button.disabled = false;
  }

  async function begin() {
    const [picked] = file.files;
    if (!picked || picked.size > LARGEST) { tell(false, t("deploy.nofile")); return; }
    const { rollout } = await post("/api/deploy/start", {
      model: base64(new Uint8Array(await picked.arrayBuffer())), nodes: nodes(), careful: waves.value === "careful", trial: trial.checked,
    });
    say(said, "");
    show(rollout);
  }

  async function rollBack() {
    const { nodes: rows } = await post("/api/deploy/rollback", { nodes: nodes(), to: to.value });
    said.replaceChildren(...rows.map((row) => answer(row.ok, `${row.site}/${row.node}: ${row.ok ? t("deploy.isback", { model: row.says }) : sentence(row.says)}`)));
  }

  function tell(ok, text) {
    said.replaceChildren(answer(ok, text));
  }

  function show(rollout) {
    progress.hidden = !rollout;
    if (!rollout) return;
    progress.dataset.over = String(rollout.over);
    progress.replaceChildren(h("h2", null, rollout.model ?? t("deploy.sending")),
      rollout.stopped ? h("div.answer.bad", { role: "alert" }, t("deploy.stopped", { why: sentence(rollout.stopped) })) : null,
      h("table", null, h("tbody", null, rollout.nodes.map((row) => h("tr", { "data-node": `${row.site}/${row.node}`, "data-status": row.status },
        h("td", null, h("a", { href: pageOf(row), onclick: (e) => { e.preventDefault(); go(pageOf(row)); } }, `${row.site}/${row.node}`)),
        h("td", null, t("deploy.wave", { number: row.wave + 1 })), h("td", null, t(`deploy.status.${row.status}`)),
        h("td", null, row.until ? [t("deploy.until"), " ", timeElement(Date.parse(row.until) / 1000)] : sentence(row.says)))))),
      ...(me.operates && !rollout.over ? [h("div.buttons", null, stop)] : []));
  }

  async function look() {
    const { rollout } = await get("/api/deploy");
    show(rollout);
  }

  drawNodes();
  look();
  const ends = [on("fleet", drawNodes), on("diff", () => { if (fleet.nodes.size !== chosen.size || [...chosen.keys()].some((key) => !fleet.byKey.has(key))) drawNodes(); }),];
  const timer = setInterval(() => look().catch(() => {}), 2000);
  return { element, close: () => { clearInterval(timer); ends.forEach((end) => end()); }, title: t("deploy") };
}

/** @param {{ site: string, node: string }} row */
function pageOf(row) {
  return `/node/${encodeURIComponent(row.site)}/${encodeURIComponent(row.node)}`;
}

function answer(ok, text) {
  return h(ok ? "div.answer" : "div.answer.bad", { "data-ok": String(ok) }, text);
}

function base64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}
