// The open case of each node that a page shows, so that nobody is offered a second one there.

/** @type {Map<string, any>} */
const open = new Map();

/** @param {{ site: string, node: string }} of */
function key({ site, node }) {
  return `${site}/${node}`;
}

/** The case that is open at a node; null: none is known. @param {{ site: string, node: string }} of */
export function openAt(of) {
  return open.get(key(of)) ?? null;
}

/**
 * Take over what the server says of these nodes: `cases` are all that are open there.
 * @param {{ site: string, node: string }[]} nodes
 * @param {any[]} cases
 */
export function learn(nodes, cases) {
  nodes.forEach((one) => open.delete(key(one)));
  cases.forEach((one) => open.set(key(one), shown(one)));
}

/** Take over a case that has changed. @param {any} one */
export function note(one) {
  if (one.closed) { if (openAt(one)?.id === one.id) open.delete(key(one)); } else open.set(key(one), shown(one));
}

/** @param {any} one */
function shown({ id, status, assigned_to: who }) {
  return { id, status, assigned_to: who };
}
