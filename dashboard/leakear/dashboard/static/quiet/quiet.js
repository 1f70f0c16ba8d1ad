// Quiet times: when noise at a node or a whole site is expected. A leak that comes then is held back until they end.
import { get, h, post, say } from "../js/dom.js";
import { local, sentence, span, t, timeElement } from "../js/i18n.js";
import { me } from "../js/store.js";

const KINDS = ["irrigation", "filling", "construction", "other"];
const REPEATS = ["", "daily", "weekly"];

export function quietPage() {
  const list = h("div.log");
  const trouble = h("div.answer.bad", { role: "alert", hidden: true });
  const where = h("select", { name: "where", required: true });
  const kind = h("select", { name: "kind" }, KINDS.map((key) => h("option", { value: key }, t(`quiet.kind.${key}`))));
  const title = h("input", { name: "title", maxlength: 120 });
  const [start, end] = ["start", "end"].map((name) => h("input", { name, type: "datetime-local" }));
  const repeat = h("select", { name: "repeat" }, REPEATS.map((key) => h("option", { value: key }, t(`quiet.repeat.${key || "once"}`))));
  const file = h("input", { name: "ics", type: "file", accept: ".ics,text/calendar" });
  const field = (key, control) => h("label", null, t(`quiet.${key}`), control);
  const form = h("form.case-step", { onsubmit: (event) => { event.preventDefault(); add(); } },
    field("where", where), field("kind", kind), field("title", title), field("start", start), field("end", end), field("repeat", repeat),
    h("p.dim", null, t("quiet.or")), field("ics", file), trouble, h("button.primary", null, t("quiet.add")));
  const element = h("main", { id: "main" }, h("div.page", null, h("div.inner", null, h("h1", null, t("quiet")), h("p", null, t("quiet.hint")),
    h("div.columns", null, h("div", null, list), h("div", null, me.operates ? h("section.panel", null, h("h2", null, t("quiet.add")), form) : null)))));

  async function load() {
    const known = await get("/api/quiet");
    list.replaceChildren(...(known.quiet.length ? known.quiet.map((one) => row(one, load)) : [h("p.dim", null, t("quiet.none"))]));
    const options = [...known.sites.map((site) => [site, "", t("quiet.site", { site })]), ...known.nodes.map(([site, node]) => [site, node, `${node} · ${site}`])];
    if (where.children.length !== options.length) where.replaceChildren(...options.map(([site, node, name]) => h("option", { value: JSON.stringify([site, node]) }, name)));
  }

  async function add() {
    trouble.hidden = true;
    try {
      const [site, node] = JSON.parse(where.value);
      const given = { site, node, kind: kind.value, title: title.value, repeat: repeat.value, zone: Intl.DateTimeFormat().resolvedOptions().timeZone };
      if (file.files.length) given.ics = await file.files[0].text();
      else Object.assign(given, { start: posix(start), end: posix(end) });
      await post("/api/quiet", given);
      form.reset();
      await load();
    } catch (error) {
      say(trouble, sentence(error.message));
      trouble.hidden = false;
    }
  }

  load();
  return { element, close: () => {}, title: t("quiet") };
}

function posix(input) {
  return input.value ? new Date(input.value).getTime() / 1000 : null;
}

/** A rule of a calendar file in words, as far as there are words for it. */
function recurs(rule) {
  const every = { "FREQ=DAILY": "daily", "FREQ=WEEKLY": "weekly" }[rule];
  return every ? t(`quiet.repeat.${every}`) : h("span.mono", null, rule);
}

function row(one, load) {
  const next = one.next.map(([a, b]) => h("li", null, `${local(a)} – ${local(b)} (${span(b - a)})`));
  let sure = false;
  const remove = me.operates ? h("button", { "data-remove": one.id, onclick: async () => {
    if (!sure) { sure = true; say(remove, t("quiet.remove.sure")); return; }
    await post(`/api/quiet/${one.id}/remove`);
    await load();
  }, onblur: () => { sure = false; say(remove, t("quiet.remove")); } }, t("quiet.remove")) : null;
  return h("article.entry", { "data-quiet": one.id, "data-look": one.now ? "noisy" : "gone" },
    h("div.first", null, h("strong", null, t(`quiet.kind.${one.kind}`)), h("span", null, one.title), h("span", null, one.node ? `${one.node} · ${one.site}` : t("quiet.site", { site: one.site })),
      one.now ? h("span.badge", { "data-look": "noisy" }, t("quiet.running")) : null),
    next.length ? h("ul.now-facts", null, next) : h("p.dim", null, t("quiet.past")),
    h("div.meta", null, h("span", null, t("quiet.by", { who: one.added_by }), " ", timeElement(one.added)), one.rule ? h("span", { title: one.rule }, recurs(one.rule)) : null), remove);
}
