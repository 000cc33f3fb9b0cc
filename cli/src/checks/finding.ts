import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Colors } from "../output/terminal.js";

/** One thing that a daemon needs, as it was found. */
export interface Finding {
  /** The key of the configuration that asks for it, such as `grpc.tls.cert_file`. */
  readonly key: string;
  /** `warning`: it works, and may not for long. */
  readonly status: "ok" | "warning" | "problem";
  /** What was found. */
  readonly detail: string;
  /** What to do; absent where all is well. */
  readonly remedy?: string;
  /** Of the error catalogue, for a problem. */
  readonly code?: ErrorCode;
}

/** Puts an error down as a problem of a key. */
export function describeProblem(key: string, thrown: unknown): Finding {
  if (!(thrown instanceof FleetmarkError)) return { key, status: "problem", detail: errorMessage(thrown) };
  // Most messages begin with the key, which stands before them already.
  const detail = thrown.message.startsWith(`${key}: `) ? thrown.message.slice(key.length + 2) : thrown.message;
  return { key, status: "problem", detail, remedy: thrown.remedy, code: thrown.code };
}

/** Looks at what a key asks for; what that throws is a problem of it. */
export async function findByKey(key: string, look: () => Promise<string> | string): Promise<Finding> {
  try {
    return { key, status: "ok", detail: await look() };
  } catch (thrown) {
    return describeProblem(key, thrown);
  }
}

export function hasProblem(findings: readonly Finding[]): boolean {
  return findings.some(({ status }) => status === "problem");
}

/** Stands before what of a finding does not fit on its line, after the two cells that each line begins with. */
export const findingIndent = " ".repeat(9);

/** Lays findings out, one line each and what to do below it. */
export function formatFindings(findings: readonly Finding[], colour: Colors): string {
  const width = Math.max(0, ...findings.map(({ key }) => key.length));
  const paint = { ok: colour.green, warning: colour.yellow, problem: colour.red };
  return findings
    .map(({ key, status, detail, remedy }) => {
      const advice = remedy === undefined ? "" : `           ${remedy}\n`;
      return `  ${paint[status](status.padEnd(7))}  ${key.padEnd(width)}  ${detail}\n${advice}`;
    })
    .join("");
}
