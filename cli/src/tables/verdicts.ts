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

/** Writes a number with its sign: `+4.2`. What rounds to nothing has none. */
export function formatSigned(value: number): string {
  const text = value.toFixed(1).replace(/^-(?=0\.0$)/, "");
  return value > 0 && text !== "0.0" ? `+${text}` : text;
}

/** Writes how a figure moved: an overhead, whose unit is percent, by points, all else by percent. */
export function formatShift({ unit }: { readonly unit: string }, value: number): string {
  return `${formatSigned(value)}${unit === "%" ? " points" : " %"}`;
}

/** Writes an interval of such moves, without their unit. */
export function formatBounds(low: number, high: number): string {
  return `${formatSigned(low)} … ${formatSigned(high)}`;
}
