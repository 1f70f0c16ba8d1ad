// The pipes, and what correlating says of alerts: loaded once, and again when the server says that they changed.
import { get, h, post } from "../dom.js";
import { sentence, t } from "../i18n.js";
import { me, on } from "../store.js";

export const known = { pipes: [], materials: [], certainties: {} };
let asked = 0;
let timer = 0;

/** Load what is known, then refresh every element of class `of-pipes`. */
export async function loadPipes() {
  const turn = ++asked;
  const [{ pipes, materials }, { certainties }] = await Promise.all([get("/api/pipes"), get("/api/certainties")]);
  if (turn !== asked) return;
  Object.assign(known, { pipes, materials, certainties });
  document.querySelectorAll(".of-pipes").forEach((element) => /** @type {any} */ (element).refresh());
}

on("fleet", loadPipes);
on("pipes", loadPipes);
on("location", ({ row }) => {
  const pipe = known.pipes.find((one) => one.id === row.pipe);
  if (pipe) pipe.last = row;
  if (row.state !== "done") return;
  clearTimeout(timer);
  timer = setTimeout(loadPipes, 300);
});

function pipesOf(site, node) {
  return known.pipes.filter((pipe) => (pipe.site_a === site && pipe.node_a === node) || (pipe.site_b === site && pipe.node_b === node));
}

/** "pit-1 – pit-2" */
export function pipeName(pipe) {
  return `${pipe.node_a} – ${pipe.node_b}`;
}

/** Ask both nodes of a pipe, and show its page. */
export async function locate(pipe, go, seconds = 30) {
  await post(`/api/pipes/${pipe.id}/locate`, { seconds });
  go(`/pipes/${pipe.id}`);
}

/** Beside an alert: what correlating says of it, and for each pipe of its node a button and a link to its results. */
export function located(row, go) {
  const element = h("div.located.of-pipes");
  const trouble = h("span.bad", { role: "alert" });
  element.refresh = () => {
    const found = known.certainties[row.id];
    const pipes = pipesOf(row.site, row.node);
    const stamp = JSON.stringify([found, pipes.map((pipe) => [pipe.id, Boolean(pipe.last)])]);
    if (stamp === element.stamp) return; // what a finger is on stays
    element.stamp = stamp;
    const buttons = pipes.map((pipe) => {
      const other = pipe.site_a === row.site && pipe.node_a === row.node ? pipe.node_b : pipe.node_a;
      const act = async (event) => {
        const button = event.currentTarget;
        button.disabled = true;
        try { await locate(pipe, go); } catch (error) { trouble.textContent = sentence(error.message); }
        button.disabled = false;
      };
      const path = `/pipes/${pipe.id}`;
      return [me.operates ? h("button.locate", { "data-pipe": pipe.id, onclick: act }, t("locate.with", { node: other })) : null,
        pipe.last || !me.operates ? h("a.button", { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, t("located.results", { pipe: pipeName(pipe) })) : null];
    });
    element.replaceChildren(...(found ? [h("div.certainty", { "data-change": found.change }, sentence(found.sentence))] : []), ...buttons.flat().filter(Boolean), trouble);
    element.hidden = !found && !buttons.length;
  };
  element.refresh();
  return element;
}
