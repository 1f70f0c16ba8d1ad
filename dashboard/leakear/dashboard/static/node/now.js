// The head of a node's page: what is the matter, since when, how sure, what to do now. Everything else comes below it.
import { fill, h, say } from "../js/dom.js";
import { ago, local, sentence, t, timeElement, utc } from "../js/i18n.js";
import { me, now } from "../js/store.js";
import { learning, shown, silent } from "../js/states.js";

/** Faults whose remedy a person can carry out from here. */
const ACCEPTED = ["floor_drift"];

export function nowPanel() {
  const todo = h("p.next");
  const facts = h("ul.now-facts");
  const log = h("div.log");
  const over = h("p.over");
  const element = h("section.panel.now", { "aria-label": t("now.title"), hidden: true }, todo, facts, log);
  return {
    element,
    /** `entries`: elements of the open alerts, the newest first; `accept`: the button that accepts a new noise floor. */
    show(node, entries, accept) {
      const subject = node ? matter(node) : "UNKNOWN";
      const doing = node?.judged ? t("now.judged") : t(`alert.do.${subject}`);
      say(todo, subject === "OK" ? (entries.length ? t("now.open") : "") : doing);
      todo.hidden = !todo.textContent;
      todo.dataset.look = subject === "LEAK" ? "leak" : subject === "OK" ? "ok" : "warning";
      const stamp = JSON.stringify(node ? [node.faults, node.presence, silent(node) && node.seen, node.quiet, node.learning, node.muted > now(), node.complaint, node.remote] : null);
      if (stamp !== facts.dataset.stamp) {  // a button drawn anew under a finger is not pressed
        facts.replaceChildren(...(node ? known(node, accept) : []));
        facts.dataset.stamp = stamp;
      }
      facts.hidden = !facts.children.length;
      const [still, past] = parted(entries, subject, Boolean(node) && silent(node));
      say(over, t("now.over"));
      fill(log, subject === "OK" || !past.length ? [...still, ...past] : [...still, over, ...past]);
      element.hidden = todo.hidden && facts.hidden && !entries.length;
    },
  };
}

/** The open alerts that hold now, and those that are over; what was lost of events (dropped) stays lost. */
function parted(entries, subject, gone) {
  const holds = ({ row }) => row.kind === "dropped" || (row.kind === "lost" ? gone : row.to_state === subject);
  return [entries.filter(holds), entries.filter((entry) => !holds(entry))];
}

/** The word for what matters most: a state, or that the node is silent. */
function matter(node) {
  const name = shown(node);
  if (name === "judged") return "OK";
  return silent(node) && node.state !== "LEAK" ? "lost" : name;
}

function known(node, accept) {
  const rows = node.faults.map((fault) => h("li", { "data-fault": fault }, h("a.help", { href: `/help#fault-${fault}` }, t(`fault.${fault}`)), ": ", t(`remedy.${fault}`),
    me.operates && ACCEPTED.includes(fault) ? accept : null));
  if (silent(node)) rows.push(h("li", null, t(node.presence === "offline" ? "silent.lost" : "silent.hangs"), " ", node.seen ? timeElement(node.seen) : t("never")));
  if (node.presence === "waiting") rows.push(h("li", null, t("waiting.why")));
  if (node.quiet) rows.push(h("li.quiet", null, t("quiet.until", { what: node.quiet.title || t(`quiet.kind.${node.quiet.kind}`), when: local(node.quiet.until) })));
  if (node.learning) rows.push(h("li", null, learning(node)));
  if (node.muted > now()) rows.push(h("li", { title: utc(node.muted) }, t("muted.until", { when: local(node.muted) })));
  if (node.complaint) rows.push(h("li", null, `${t("malformed")}: ${sentence(node.complaint)}`));
  if (node.remote) rows.push(h("li", null, t("remote.set")));
  return rows;
}

/** "LEAK since 3 h", for the title of the browser's window. */
export function headline(node) {
  return node ? `${t(`state.${shown(node)}`)} · ${ago(node.since, now())}` : "";
}
