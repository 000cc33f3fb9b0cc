import type { AlertSeverity } from "../model/kpis.js";
import type { Labels } from "./alert.js";

/** An alert as somebody is told of it. */
export interface ToldAlert {
  readonly id: string;
  readonly name: string;
  readonly severity: AlertSeverity;
  readonly labels: Labels;
  readonly summary: string;
  readonly description: string;
  readonly runbook: string;
  readonly value: number;
  readonly threshold: number;
  /** When the breach began, and when it ended; microseconds since the Unix epoch. */
  readonly sinceUs: number;
  readonly resolvedUs?: number | undefined;
}

/** Alerts that are told of in one message: those of one name in one hardware class, on however many hosts. */
export function nameGroup({ name, labels }: Pick<ToldAlert, "name" | "labels">): string {
  return labels.hw_class === undefined ? name : `${name} · ${labels.hw_class}`;
}

/** What was last told of a group by one way. */
export interface ToldBefore {
  readonly sentUs: number;
  /** The ids of the alerts that were told of as firing. */
  readonly firing: readonly string[];
}

/** What is to be told of a group now. */
export interface Notification {
  readonly group: string;
  readonly firing: readonly ToldAlert[];
  readonly resolved: readonly ToldAlert[];
  /** It was told of before, and goes on. */
  readonly isReminder: boolean;
}

export interface Pace {
  /** How long is waited for others of the group before it is told of first, seconds. */
  readonly waitS: number;
  /** How long between two messages of a group that changes, seconds. */
  readonly updateS: number;
  /** After which what goes on is told of again, seconds. */
  readonly repeatS: number;
}

/**
 * Decides what of a group is to be told now.
 * @param firing what fires, and is neither silenced nor inhibited
 * @param resolved what was resolved of late
 * @param beganUs when the first of those that were not told of began to fire
 * @returns undefined while there is nothing to tell, or not yet
 */
export function planNotification(
  group: string,
  firing: readonly ToldAlert[],
  resolved: readonly ToldAlert[],
  before: ToldBefore | undefined,
  beganUs: number,
  pace: Pace,
  nowUs: number,
): Notification | undefined {
  const told = new Set(before?.firing ?? []);
  const over = resolved.filter(({ id }) => told.has(id) && !firing.some((each) => each.id === id));
  const isNew = firing.some(({ id }) => !told.has(id));
  // A clock that was set back must not keep anybody waiting for longer.
  const sinceS = before === undefined ? Number.POSITIVE_INFINITY : Math.abs(nowUs - before.sentUs) / 1e6;
  const isReminder = !isNew && over.length === 0;
  if (isReminder && (firing.length === 0 || sinceS < pace.repeatS)) return undefined;
  if (isNew && Math.abs(nowUs - beganUs) / 1e6 < pace.waitS) return undefined;
  // What is over at last may be told at once; what changes on and on is told now and then.
  const isEnd = firing.length === 0;
  if (!isReminder && told.size > 0 && !isEnd && sinceS < pace.updateS) return undefined;
  return { group, firing, resolved: over, isReminder };
}
