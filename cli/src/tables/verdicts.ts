import type { Severity } from "@fleetmark/shared/judgement/severity";
import type { Verdict } from "@fleetmark/shared/judgement/verdict";
import type { Colors } from "../output/terminal.js";

interface Judged {
  readonly verdict: Verdict;
  readonly severity: Severity;
}

/** Says a verdict, with its severity where that matters: `regressed, high`. */
export function describeVerdict({ verdict, severity }: Judged): string {
  return verdict === "regressed" && severity !== "low" ? `${verdict}, ${severity}` : verdict;
}

export function paintVerdict(judged: Judged | undefined, colours: Colors): (text: string) => string {
  if (judged?.verdict === "regressed") return colours.red;
  if (judged?.verdict === "improved") return colours.green;
  return judged === undefined || judged.verdict === "unchanged" ? (text) => text : colours.yellow;
}
