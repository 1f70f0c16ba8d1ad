// All pipes: what was located last on each, and a form for a new one.
import { fill, h, say } from "../dom.js";
import { sentence, t } from "../i18n.js";
import { follow, me, nodeOf, on } from "../store.js";
import { badge, shown } from "../states.js";
import { pipeForm } from "./form.js";
import { known, loadPipes, locate, pipeName } from "./known.js";
import { summary } from "./words.js";

export function pipesPage(go) {
  const log = Object.assign(h("div.log.of-pipes"), { refresh: () => draw() });
  const nothing = h("div.empty", { hidden: true }, h("p", null, t("pipes.none")), h("p", null, t("pipes.hint")));
  const place = h("div");
  const trouble = h("div.answer.bad", { role: "alert", hidden: true });
  const add = h("button.add", { "aria-expanded": "false", onclick: () => toggle() }, t("pipe.add"));
  let entries = new Map();

  function toggle() {
    const open = !place.firstChild;
    add.setAttribute("aria-expanded", String(open));
    place.replaceChildren(...(open ? [h("section.panel", null, h("h2", null, t("pipe.add")), pipeForm(null, () => toggle()))] : []));
    if (open) place.querySelector("select").focus();
  }

  async function start(pipe, button) {
    button.disabled = true;
    trouble.hidden = true;
    try { await locate(pipe, go); } catch (error) { say(trouble, sentence(error.message)); trouble.hidden = false; }
    button.disabled = false;
  }

  function one(pipe) {
    const path = `/pipes/${pipe.id}`;
    const states = [["a", pipe.site_a, pipe.node_a], ["b", pipe.site_b, pipe.node_b]].map(([, site, name]) => {
      const node = nodeOf(site, name);
      return node ? badge(shown(node)) : null;
    });
    return h("article.entry.pipe", { "data-pipe": pipe.id },
      h("div.first", null, h("a.where", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, pipeName(pipe)), states,
        h("span.dim", null, t("pipe.facts", { length: pipe.length, material: t(`pipe.material.${pipe.material}`) }), pipe.automatic ? "" : ` · ${t("pipe.manual")}`)),
      h("div.reason", null, summary(pipe, pipe.last)),
      me.operates ? h("div.actions", null, h("button.primary.locate", { onclick: (e) => start(pipe, e.currentTarget) }, t("locate"))) : null);
  }

  function draw() {
    follow(/** @type {[string, string][]} */ (known.pipes.flatMap((pipe) => [[pipe.site_a, pipe.node_a], [pipe.site_b, pipe.node_b]]).slice(0, 200)));
    entries = new Map(known.pipes.map((pipe) => {
      const stamp = JSON.stringify([pipe, nodeOf(pipe.site_a, pipe.node_a)?.state, nodeOf(pipe.site_b, pipe.node_b)?.state]);
      const before = entries.get(pipe.id);
      return [pipe.id, before?.stamp === stamp ? before : Object.assign(one(pipe), { stamp })];
    }));
    fill(log, [...entries.values()]);
    nothing.hidden = known.pipes.length > 0;
  }

  const ends = [on("location", draw), on("diff", ({ heads }) => { if (heads) draw(); })];
  draw();
  loadPipes();
  const element = h("main", { id: "main" }, h("div.page", null, h("div.inner", null,
    h("div.titles", null, h("h1", null, t("pipes")), h("span.spring"), me.operates ? add : null), place, trouble, log, nothing)));
  return { element, close: () => ends.forEach((end) => end()), title: t("pipes") };
}
