// The form of a pipe: new, or changed.
import { h, post } from "../dom.js";
import { sentence, t } from "../i18n.js";
import { narrow } from "../../fleet/narrow.js";
import { fleet } from "../store.js";
import { known } from "./known.js";

/** @type {[string, number, number, string][]} */
const NUMBERS = [["length", 1, 5000, "m"], ["diameter", 1, 5000, "mm"], ["wall", 0.1, 500, "mm"], ["speed_low", 100, 1480, "m/s"], ["speed_high", 100, 1480, "m/s"]];

/** A form; `done(pipe)` is called with what was stored. */
export function pipeForm(pipe, done) {
  const trouble = h("div.answer.bad", { role: "alert", hidden: true });
  const ends = ["a", "b"].map((end) => {
    const chosen = pipe ? `${pipe[`site_${end}`]}/${pipe[`node_${end}`]}` : "";
    return choice(end, chosen, () => nodes(chosen));
  });
  const material = choice("material", pipe?.material ?? "", () => known.materials.map((name) => [name, t(`pipe.material.${name}`)]));
  const numbers = NUMBERS.map(([name, min, max, unit]) => h("label", null, `${t(`pipe.${name}`)}, ${unit}`,
    h("input", { type: "number", name, min, max, step: "any", required: name === "length", value: pipe?.[name] ?? "" })));
  const automatic = h("input", { type: "checkbox", name: "automatic", checked: pipe?.automatic ?? true });
  const save = h("button.primary", null, t("save"));
  const submit = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    /** @type {Record<string, any>} */
    const values = { material: material.value, automatic: automatic.checked };
    for (const end of ["a", "b"]) values[end] = String(given.get(end)).split("/");
    for (const [name] of NUMBERS) values[name] = given.get(name) === "" ? null : Number(given.get(name));
    save.disabled = true;
    trouble.hidden = true;
    try {
      const answer = await post(pipe ? `/api/pipes/${pipe.id}` : "/api/pipes", values);
      done(answer.pipe);
    } catch (error) {
      trouble.textContent = sentence(error.message);
      trouble.hidden = false;
    }
    save.disabled = false;
  };
  return h("form.pipe", { onsubmit: submit }, narrow(() => ends.forEach((end) => end.refresh())),
    h("label", null, t("pipe.a"), ends[0]), h("label", null, t("pipe.b"), ends[1]), numbers[0],
    h("label", null, t("pipe.material"), material), numbers.slice(1),
    h("label.check", null, automatic, h("span", null, t("pipe.automatic"))), h("div.actions", null, save), trouble,
    h("p.dim", null, t("pipe.hint")));
}

/** A choice that follows what is known: nodes appear, and the page may be older than its data. */
function choice(name, chosen, options) {
  const select = h("select.of-pipes", { name, required: true });
  select.refresh = () => {
    const kept = select.value || chosen;
    const wanted = [["", t("pipe.choose")], ...options()];
    if (JSON.stringify(wanted) === select.stamp) return;
    select.stamp = JSON.stringify(wanted);
    select.replaceChildren(...wanted.map(([value, text]) => h("option", { value }, text)));
    select.value = kept;
  };
  select.refresh();
  return select;
}

function nodes(chosen) {
  const names = [...new Set([...fleet.byKey.keys(), ...(chosen ? [chosen] : [])])];
  return names.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).map((name) => [name, name.replace("/", " · ")]);
}
