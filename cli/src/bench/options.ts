import type { Category } from "@fleetmark/shared/model/result";
import { parseDuration } from "@fleetmark/shared/model/units";
import { InvalidArgumentError } from "commander";

/** What `fleetmark bench` is asked for. */
export interface BenchOptions {
  /** Default: `full`, or the only suite of the suite file. */
  readonly suite?: string;
  readonly quick?: boolean;
  readonly suiteFile?: string;
  readonly categories?: Category[];
  readonly filter?: string;
  readonly runtime?: string;
  readonly device?: string;
  readonly outputDir: string;
  readonly baseline?: string;
  /** File that says what benchmarks of another suite are called here. */
  readonly map?: string;
  readonly compareBaseline?: boolean;
  /** A folder or a commit. */
  readonly against?: string;
  readonly saveBaseline?: boolean;
  /** True where no reason is given. */
  readonly accept?: string | true;
  /** What besides a regression is to fail the job. */
  readonly failOn?: readonly FailOn[];
  readonly summary?: string;
  readonly label: Readonly<Record<string, string>>;
  readonly budget?: number;
  /** True where the configuration says where the collector is. */
  readonly report?: string | true;
  readonly sendOnly?: boolean;
  readonly config?: string;
  readonly list?: boolean;
  readonly schema?: boolean;
  readonly json?: boolean;
}

/** What may end a comparison with exit code 1. */
export const failures = ["regression", "inconclusive", "missing"] as const;
export type FailOn = (typeof failures)[number];

export function readBudget(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined || seconds <= 0) throw new InvalidArgumentError("A budget looks like 90s, 5m or 1h30m.");
  return seconds;
}

const longestLabel = 500;

/** Adds a label to those before it: `key=value`, or a text, which becomes the label named `label`. */
export function addLabel(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, key = "label", value = text] = /^([A-Za-z_][A-Za-z0-9_.-]{0,63})=(.*)$/s.exec(text) ?? [];
  if (value === "" || value.length > longestLabel || /\p{Cc}/u.test(value)) {
    throw new InvalidArgumentError(`A label is a text or key=value, of up to ${longestLabel} characters in one line.`);
  }
  const former = key === "label" ? before.label : undefined;
  return { ...before, [key]: former === undefined ? value : `${former}, ${value}` };
}

/** @throws InvalidArgumentError for what is no card */
export function readDevice(text: string): string {
  if (/^gpu\d{1,3}$/.test(text)) return text;
  throw new InvalidArgumentError("a card is gpu0, gpu1, … as nvidia-smi numbers them");
}
