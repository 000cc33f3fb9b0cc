import type { Batch } from "@fleetmark/shared/model/batch";
import { hourlyFields, hourUs } from "../retention.js";
import type { ChunkFilter } from "../store.js";
import { buildRollupFlux } from "./flux.js";
import { createLateHours, type LateHours } from "./late-hours.js";
import { rollupSelect, rollupTimeoutMs } from "./roll-up.js";
import { runFlux } from "./server/api.js";
import { connectInflux, type InfluxServer } from "./server/connection.js";
import { quoteText } from "./server/policies.js";
import type { InfluxTarget } from "./server/target.js";

/**
 * The server rolls up every night by itself, and looks back three days. What comes later than that is rolled up from
 * here, soon after it came:
 *
 *   add ─► late hours ─(a minute)─► drain ─► roll up each range ─► forgotten
 *               ▲                                  └─ failed ─► restored, and tried again in the night
 *               └──────────────────────────────────────┘
 */
export interface LateRollUp {
  readonly server: InfluxServer;
  readonly target: InfluxTarget;
  readonly hours: LateHours;
  /** Returns the first hour that is worth rolling up: the server keeps none before. */
  readonly findOldestUs: () => number;
  timer: NodeJS.Timeout | undefined;
  /**
   * Ends with the last one that was asked for: while one is under way, its hours are no longer remembered and not yet
   * there.
   */
  rolling: Promise<void>;
  underWay: number;
}

/** An agent that was away sends what it has in many batches: they are waited for. */
const rollUpWithinMs = 60_000;

/** @param target of a connection of its own, which waits longer for an answer */
export function createLateRollUp(target: InfluxTarget, findOldestUs: () => number): LateRollUp {
  const patient = { ...target, timeoutMs: rollupTimeoutMs };
  const hours = createLateHours();
  const server = connectInflux(patient);
  return { server, target: patient, hours, findOldestUs, timer: undefined, rolling: Promise.resolve(), underWay: 0 };
}

/** Whether some hours that came late are not rolled up yet. */
export function isPending({ hours, underWay }: LateRollUp): boolean {
  return !hours.isEmpty() || underWay > 0;
}

/** Remembers the hours of samples that came late, to be rolled up in a minute. */
export function addLate(late: LateRollUp, batches: readonly Batch[], lateUs: number): void {
  late.hours.add(batches, lateUs);
  if (late.hours.isEmpty() || late.timer !== undefined) return;
  late.timer = setTimeout(() => {
    late.timer = undefined;
    // What fails is tried again in the night, and told of then.
    rollUpLate(late).catch(() => {});
  }, rollUpWithinMs).unref();
}

/** Rolls up the hours that came late, after what is under way. */
export function rollUpLate(late: LateRollUp): Promise<void> {
  late.underWay++;
  const rolled = late.rolling
    .then(() => rollUpRanges(late))
    .finally(() => {
      late.underWay--;
    });
  late.rolling = rolled.catch(() => {});
  return rolled;
}

async function rollUpRanges(late: LateRollUp): Promise<void> {
  const ranges = late.hours.drain();
  try {
    while (ranges.length > 0) {
      await rollUpRange(late, ranges[0]);
      ranges.shift();
    }
  } catch (thrown) {
    late.hours.restore(ranges);
    throw thrown;
  }
}

export async function closeLateRollUp({ timer, server }: LateRollUp): Promise<void> {
  clearTimeout(timer);
  await server.close();
}

/** A count is an integer in hours that InfluxQL has rolled up (1.x), a float in those of a task (2.x). */
export function countsAs({ org }: InfluxTarget): (field: string) => boolean {
  return (field) => org === "" && field.startsWith(hourlyFields.count);
}

/**
 * Rolls up the hours of a range: those that the nightly roll-up no longer looks back on.
 * @param range of one host, or of all
 */
export async function rollUpRange(
  { server, target, findOldestUs }: Pick<LateRollUp, "server" | "target" | "findOldestUs">,
  { fromUs, toUs, host }: Pick<ChunkFilter, "fromUs" | "toUs"> & { readonly host?: string },
): Promise<void> {
  if (fromUs >= toUs || !(await server.hasPolicy("hourly"))) return;
  const [startUs, endUs] = [Math.max(findOldestUs(), Math.floor(fromUs / hourUs) * hourUs), Math.ceil(toUs / hourUs) * hourUs];
  if (startUs >= endUs) return;
  const { database, org } = target;
  if (org !== "") return runFlux(target, buildRollupFlux({ database, org, range: { startUs, endUs, host } }));
  const policies = await server.query("SHOW RETENTION POLICIES");
  const own = policies.flatMap(({ columns, values }) => values.filter((row) => row[columns.indexOf("default")] === true));
  const policy = String(own[0]?.[0] ?? "autogen");
  for (let dayUs = startUs; dayUs < endUs; dayUs += 24 * hourUs) {
    const ofHost = host === undefined ? [] : [`"host" = ${quoteText(host)}`];
    const conditions = [...ofHost, `time >= ${dayUs}u`, `time < ${Math.min(endUs, dayUs + 24 * hourUs)}u`];
    await server.query(rollupSelect(database, policy, conditions));
  }
}
