import type { ProvisionedRule } from "#grafana/alerts/rule.js";
import { ruleGroups } from "#grafana/alerts/rule-groups.js";
import { parseSpan } from "./evaluation/expand.js";
import { describeFiring, evaluateAt, type Firing } from "./firing.js";
import type { InfluxReader } from "./influx-reader.js";

/**
 * What people hear of when the whole fleet falls silent. Grafana evaluates rules each minute, at a moment of its own
 * choice within it: where that lies against the last samples decides what is known first. So the silence is gone through
 * at several such phases, minute by minute, with the states that Grafana would keep between evaluations.
 */

export interface SilenceReport {
  readonly phases: number;
  readonly evaluations: number;
  /** Phases that made another alert than the one of the fleet, or none, each told by what it made. */
  readonly faults: readonly string[];
  readonly failed: readonly string[];
}

const phases = 24;

/** Rules that tell of silence; others have nothing to judge then. */
const watched = ["fm-fleet-silent", "fm-agent-down", "fm-collector-down"];
const fleetRule = "fm-fleet-silent";

/** Minutes before and after the last sample that are gone through. Those before show what fired already. */
const minutesBefore = 6;
const minutesAfter = 14;
const minuteMs = 60_000;

/** Where one alert of a rule stands: since when its condition holds, and whether it fires. */
interface AlertState {
  readonly since: number;
  readonly firing: Firing | undefined;
}

/** The state after an evaluation: what is bad begins to wait or fires, what is not is forgotten. */
function follow(
  before: ReadonlyMap<string, AlertState>,
  bad: ReadonlyMap<string, Firing>,
  atMs: number,
  pendingMs: number,
): Map<string, AlertState> {
  return new Map(
    [...bad].map(([key, alert]) => {
      const since = before.get(key)?.since ?? atMs;
      return [key, { since, firing: atMs - since >= pendingMs ? alert : undefined }];
    }),
  );
}

interface Watch {
  /** Alerts that fired at some moment after the last sample and not at it, by rule and labels. */
  readonly news: Set<string>;
  readonly errors: string[];
  evaluations: number;
}

async function watchRule(
  reader: InfluxReader,
  rule: ProvisionedRule,
  lastMs: number,
  phaseMs: number,
  watch: Watch,
): Promise<void> {
  let states = new Map<string, AlertState>();
  let known = new Set<string>();
  for (let minute = -minutesBefore; minute <= minutesAfter; minute++) {
    const atMs = lastMs + minute * minuteMs + phaseMs;
    const { bad, kept, error } = await evaluateAt(reader, rule, atMs);
    watch.evaluations++;
    if (error !== "") watch.errors.push(`${rule.uid}: ${error}`);
    if (!kept) states = follow(states, bad, atMs, parseSpan(rule.for));
    const firing = [...states].filter(([, state]) => state.firing !== undefined);
    if (minute < 0) known = new Set(firing.map(([key]) => key));
    for (const [key, state] of firing) if (!known.has(key) && state.firing) watch.news.add(describeFiring(state.firing));
  }
}

/** Goes through the silence of everybody after a moment, at each phase. */
export async function watchSilence(reader: InfluxReader, lastMs: number): Promise<SilenceReport> {
  const rules = ruleGroups.flatMap((group) => group.rules).filter(({ uid }) => watched.includes(uid));
  const faults: string[] = [];
  const failed: string[] = [];
  let evaluations = 0;
  for (let phase = 0; phase < phases; phase++) {
    const phaseMs = Math.round((phase / phases) * minuteMs);
    const watch: Watch = { news: new Set(), errors: [], evaluations: 0 };
    for (const rule of rules) await watchRule(reader, rule, lastMs, phaseMs, watch);
    const told = [...watch.news];
    const ofFleet = told.filter((each) => each.startsWith(fleetRule));
    if (told.length !== 1 || ofFleet.length !== 1) faults.push(`${phaseMs} ms: ${told.join("; ") || "no alert"}`);
    failed.push(...watch.errors);
    evaluations += watch.evaluations;
  }
  return { phases, evaluations, faults, failed };
}
