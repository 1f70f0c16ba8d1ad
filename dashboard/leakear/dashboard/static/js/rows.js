// The rows of the fleet's list: one node, or the head of a site.
import { ICONS, h, icon, say } from "./dom.js";
import { ago, level, local, number, t, utc } from "./i18n.js";
import { now } from "./store.js";
import { GROUPS, badge, learning, look, shape, shown, silent, word } from "./states.js";
import { spark } from "../charts/canvas.js";

export function siteRow(item) {
  const tally = h("span.tally");
  const element = h("div.site-row", { role: "row" }, h("span", { role: "rowheader" }, item.site), tally);
  let before = "";
  return {
    element,
    update({ counts: all }) {
      const counts = GROUPS.map((key, n) => [key, all[n]]).filter(([, n]) => n);
      if (before === String(counts)) return;
      before = String(counts);
      tally.replaceChildren(...counts.map(([key, n]) =>
        h("span", { "data-look": key === "gone" ? "gone" : look(key), title: word(key) }, shape(key), String(n))));
    },
  };
}

export function nodeRow(node, view) {
  const parts = {
    state: h("div.state-cell", { role: "gridcell" }),
    score: h("span.figure"), scores: h("canvas", { "aria-hidden": "true" }),
    level: h("span.figure"), levels: h("canvas", { "aria-hidden": "true" }),
    seen: h("time"), faults: h("div.cell.faults", { role: "gridcell" }), model: h("div.cell.model", { role: "gridcell" }),
  };
  const path = `/node/${encodeURIComponent(node.site)}/${encodeURIComponent(node.node)}`;
  const element = h("a.node", {
    role: "row", href: path, "data-key": `${node.site}/${node.node}`, "data-site": node.site, "data-node": node.node,
    onfocus: () => { view.focus = `${node.site}/${node.node}`; },
    onclick: (event) => { if (!event.metaKey && !event.ctrlKey) { event.preventDefault(); view.go(path); } },
  },
  parts.state,
  h("div.who-cell", { role: "gridcell", title: `${node.node} ${node.site}` }, h("span.name", null, node.node), " ", h("span.site", null, node.site)),
  h("div.values.score", { role: "gridcell" }, parts.score, parts.scores),
  h("div.values.level", { role: "gridcell" }, parts.level, parts.levels),
  h("div.cell.seen", { role: "gridcell" }, parts.seen), parts.faults, parts.model);
  let [known, drawn, said] = [node, "", undefined];
  return {
    element,
    update({ node: current }) {
      known = current;
      head(element, parts, current);
      say(parts.score, number(current.score, 2));
      say(parts.level, level(current.level));
      if (current.seen !== said) stamp(parts.seen, current);
      said = current.seen;
      say(parts.seen, ago(current.seen, now()));
    },
    sizes: () => [parts.scores, parts.levels].map((canvas) => [canvas.clientWidth, canvas.clientHeight]),
    draw([small, other], inks) {
      const state = `${known.slot} ${known.score} ${known.level} ${inks.score} ${small} ${other}`;
      if (state === drawn) return;
      drawn = state;
      spark(parts.scores, small, known.scores, [0, 1], inks.score, [known.threshold, inks.line]);
      if (other[0]) spark(parts.levels, other, known.levels, levels(known.levels), inks.level);
    },
  };
}

/** When it was heard last, in UTC on hover. */
function stamp(element, node) {
  element.dateTime = node.end ? new Date(node.end * 1000).toISOString() : "";
  element.title = node.seen ? utc(node.seen) : "";
}

/** The cells that change rarely. */
function head(element, parts, node) {
  const stamp = `${node.state} ${node.presence} ${node.faults} ${node.model} ${node.muted > now() ? node.muted : 0} ${node.missing} ${node.asleep} ${node.malformed} ${learning(node)} ${node.judged} ${node.waits} ${node.quiet?.until}`;
  if (element.dataset.stamp === stamp) return;
  element.dataset.stamp = stamp;
  const name = shown(node);
  element.dataset.look = look(name);
  element.dataset.state = node.state;
  element.dataset.presence = node.presence;
  element.dataset.gone = String(silent(node));
  parts.state.replaceChildren(badge(name));
  if (name !== node.presence && silent(node)) parts.state.append(Object.assign(badge(node.presence), { title: word(node.presence) }));
  else if (name === node.presence && node.state !== "UNKNOWN") parts.state.append(h("span.dim", null, t("was", { state: word(node.state) })));
  if (node.presence === "asleep") parts.state.append(h("span.dim", null, t("asleep.until", { when: local(node.asleep) })));
  if (node.muted > now()) parts.state.append(h("span.mute", { title: t("muted.until", { when: local(node.muted) }) }, icon(ICONS.bellOff)));
  const faults = node.faults.map((fault) => t(`fault.${fault}`));
  const notes = [];
  if (node.presence === "waiting") notes.push(t("waiting"));
  if (node.quiet) notes.push(t("quiet.now", { what: node.quiet.title || t(`quiet.kind.${node.quiet.kind}`) }));
  if (node.waits) faults.push(t("waits", { count: number(node.waits) }));
  if (node.missing) faults.push(t("missing", { count: number(node.missing) }));
  if (node.malformed) faults.push(t("malformed"));
  if (node.learning) notes.push(learning(node));
  const chip = (kind, words) => (words.length ? [h(kind, { title: words.join(", ") }, words.join(", "))] : []);
  parts.faults.replaceChildren(...chip("span.chip", faults), ...chip("span.chip.note", notes));
  say(parts.model, node.model);
  parts.model.title = node.model ?? "";
}

function levels(values) {
  const known = values.filter((v) => v !== null);
  if (!known.length) return [-80, -20];
  const middle = (Math.min(...known) + Math.max(...known)) / 2;
  const reach = Math.max(6, (Math.max(...known) - Math.min(...known)) / 2);
  return [middle - reach, middle + reach];
}
