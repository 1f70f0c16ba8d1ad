// What was located, in words.
import { number, sentence, t } from "../i18n.js";

/** One line: the position, the reason why there is none, or how far a job is. */
export function summary(pipe, row) {
  if (!row) return t("located.never");
  if (row.state === "failed") return t("located.failed", { reason: because(row) });
  if (row.state !== "done") return t(`locating.${row.state}`);
  const { position_m: at, reason, refusal } = row.result;
  if (at === null || at === undefined) return t("located.none", { reason: refusal ? sentence(reason) : "" });
  return t("located.at", { metres: number(at, 1), node: pipe.node_a, rest: number(pipe.length - at, 1), other: pipe.node_b });
}

/** Why a job failed, with the node that says so. */
function because(row) {
  return row.reason_node ? `${row.reason_node}: ${sentence(row.reason)}` : sentence(row.reason);
}

export function span(interval) {
  return `${number(interval[0], 1)} – ${number(interval[1], 1)} m`;
}
