import type { Result } from "../model/result.js";
import { median } from "../stats/quantiles.js";
import { type MachineDrift, readNumber } from "./machine-drift.js";
import type { Verdict } from "./verdict.js";

/** What may explain a change, the most telling first. */
export const causes = ["environment", "throttling", "pace", "contention", "gpu", "class", "host", "unknown"] as const;
export type Cause = (typeof causes)[number];

/** What may change speed on a host without a change of hardware, and the commit that was measured. */
export type Environment = Readonly<Record<string, string>>;

/** How the same benchmark did of late on another host of the same class. */
export interface Sibling {
  readonly host: string;
  readonly verdict: Verdict;
}

export interface Explanation {
  readonly cause: Cause;
  /** A sentence for people; of several causes it names all. */
  readonly why: string;
}

/** A core or a share of time is another from this much on. */
const noticeable = 0.03;

/** Returns what differs between two environments: `kernel 6.1 -> 6.2`. What only one side tells is no difference. */
export function describeDifference(before: Environment, after: Environment): string[] {
  return Object.keys(after)
    .filter((key) => before[key] !== undefined && before[key] !== after[key])
    .sort()
    .map((key) => `${key.replaceAll("_", " ")} ${before[key]} -> ${after[key]}`);
}

const percent = (logarithm: number): string => `${Math.round(100 * Math.expm1(Math.abs(logarithm)))} %`;

function explainMachine({ pace, contention }: MachineDrift): Explanation[] {
  const found: Explanation[] = [];
  if (pace > noticeable)
    found.push({ cause: "pace", why: `the machine itself was ${percent(pace)} slower at its reference work` });
  if (contention > noticeable)
    found.push({ cause: "contention", why: `other work took ${percent(contention)} more of its core or its memory's time` });
  return found;
}

/** Median of a figure over results; undefined where none tells it. */
function typical(results: readonly Result[], key: string): number | undefined {
  const known = results.map((result) => readNumber(result, key)).filter((each) => each !== undefined);
  return known.length === 0 ? undefined : median(known);
}

function explainThrottling(result: Result, before: readonly Result[]): Explanation[] {
  const found: Explanation[] = [];
  const throttles = readNumber(result, "throttles") ?? 0;
  if (throttles > 0 && throttles > 2 * (typical(before, "throttles") ?? 0))
    found.push({ cause: "throttling", why: `the processor throttled ${throttles} times for heat` });
  const [was, is] = [typical(before, "frequency_mhz"), readNumber(result, "frequency_mhz")];
  if (was !== undefined && is !== undefined && is < (1 - noticeable) * was)
    found.push({ cause: "throttling", why: `the processor ran at ${Math.round(is)} MHz, before at ${Math.round(was)}` });
  return found;
}

/** What a card told of itself while it was measured. */
function explainCard(result: Result, before: readonly Result[]): Explanation[] {
  if (result.metadata.card_uuid === undefined) return [];
  const found: string[] = [];
  if (result.disturbance !== "") found.push(`the card was ${result.disturbance}`);
  if (before.every(({ metadata }) => metadata.card_uuid !== result.metadata.card_uuid))
    found.push("another card of the host was measured");
  const fallen = (key: string, unit: string, what: string): void => {
    const [was, is] = [typical(before, key), readNumber(result, key)];
    if (was !== undefined && is !== undefined && is < (1 - noticeable) * was)
      found.push(`${what} ${Math.round(is)} ${unit}, before ${Math.round(was)}`);
  };
  fallen("card_sm_clock_mhz", "MHz", "its clock was");
  fallen("card_power_limit_w", "W", "its power limit was");
  fallen("card_pcie_width", "lanes", "its PCIe link had");
  return found.map((why) => ({ cause: "gpu", why }));
}

/** Software reaches all hosts of a class, a fault of the hardware one. */
function explainByClass(siblings: readonly Sibling[]): Explanation[] {
  const judged = siblings.filter(({ verdict }) => ["regressed", "unchanged", "improved"].includes(verdict));
  if (judged.length < 2) return [];
  const slower = judged.filter(({ verdict }) => verdict === "regressed").length;
  const of = `${slower} of ${judged.length} other hosts of its class`;
  if (slower >= 0.6 * judged.length) return [{ cause: "class", why: `${of} became slower too, as software makes them` }];
  if (slower <= 0.1 * judged.length)
    return [{ cause: "host", why: `${of} became slower: it is this host's hardware or its setting` }];
  return [];
}

export interface Evidence {
  readonly result: Result;
  /** The results that it is compared with. */
  readonly before: readonly Result[];
  readonly environment: { readonly before: Environment; readonly after: Environment };
  readonly drift: MachineDrift;
  readonly siblings: readonly Sibling[];
}

/** Names what explains that a benchmark became slower, by what was recorded, or that nothing does. */
export function explainRegression({ result, before, environment, drift, siblings }: Evidence): Explanation {
  const changed = describeDifference(environment.before, environment.after);
  const found = [
    ...(changed.length === 0 ? [] : [{ cause: "environment" as const, why: `changed since: ${changed.join(", ")}` }]),
    ...explainThrottling(result, before),
    ...explainMachine(drift),
    ...explainCard(result, before),
    ...explainByClass(siblings),
  ];
  if (found.length === 0) return { cause: "unknown", why: "nothing that was recorded explains it" };
  return { cause: found[0].cause, why: found.map(({ why }) => why).join("; ") };
}
