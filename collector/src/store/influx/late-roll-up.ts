import { errorMessage } from "@fleetmark/shared/errors";
import type { Batch } from "@fleetmark/shared/model/batch";
import { hourUs } from "../retention.js";
import type { ChunkFilter } from "../store.js";
import { rollUpFinished, rollUpSpan } from "./hour-roll-up.js";
import { createLateHours, type LateHours } from "./late-hours.js";
import { createMarks, type LateMark, readMarks, toRange, writeMarks } from "./late-marks.js";
import { rollupSelect, rollupTimeoutMs } from "./roll-up.js";
import { connectInflux, type InfluxServer } from "./server/connection.js";
import { quoteText } from "./server/policies.js";
import type { InfluxTarget } from "./server/target.js";

/**
 * InfluxDB 1.x rolls up every night by itself, and looks back three days; for 2.x every hour is rolled up from here,
 * ten minutes after its end. What comes later than that is rolled up from here too, soon after it came:
 *
 *   add ─► late hours ─(a minute)─► drain ─► roll up each range ─► forgotten
 *               ▲                                  └─ failed ─► restored, and tried again in the night
 *               └──────────────────────────────────────┘
 */
export interface LateRollUp {
  readonly server: InfluxServer;
  readonly target: InfluxTarget;
  readonly hours: LateHours;
  /** What the store remembers of the hours (2.x). */
  marks: LateMark[];
  /** What it is to remember, and did not take yet. */
  unwritten: LateMark[];
  /** Returns the first hour that is worth rolling up: the server keeps none before. */
  readonly findOldestUs: () => number;
  timer: NodeJS.Timeout | undefined;
  /** Of the next hour that ends. */
  hourTimer: NodeJS.Timeout | undefined;
  /**
   * Ends with the last one that was asked for: while one is under way, its hours are no longer remembered and not yet
   * there.
   */
  rolling: Promise<void>;
  underWay: number;
  /** Why the last one of each kind failed; none once it has not. */
  readonly failures: Map<RollUpKind, string>;
}

type RollUpKind = "ended" | "late";

/**
 * Samples that come later than this are late on InfluxDB 1.x, for the nightly roll-up may pass them over: it looks
 * back three days.
 */
const lateAfterUs = 2.5 * 24 * hourUs;

/** So long after its end an hour is rolled up on InfluxDB 2.x: what comes until then is in time. */
const hourSettlesUs = 600e6;

/** An agent that was away sends what it has in many batches: they are waited for. */
const rollUpWithinMs = 60_000;

/** @param target of a connection of its own, which waits longer for an answer */
export function createLateRollUp(target: InfluxTarget, findOldestUs: () => number): LateRollUp {
  const patient = { ...target, timeoutMs: rollupTimeoutMs };
  const hours = createLateHours();
  const server = connectInflux(patient);
  return {
    server,
    target: patient,
    hours,
    marks: [],
    unwritten: [],
    findOldestUs,
    timer: undefined,
    hourTimer: undefined,
    rolling: Promise.resolve(),
    underWay: 0,
    failures: new Map(),
  };
}

/** Lets it come after what is under way, and notes how it ended. */
function queueRollUp(late: LateRollUp, kind: RollUpKind, act: () => Promise<void>): Promise<void> {
  const rolled = late.rolling.then(act);
  late.rolling = rolled.then(
    () => void late.failures.delete(kind),
    (thrown) => void late.failures.set(kind, errorMessage(thrown)),
  );
  return rolled;
}

/** Whether some hours that came late are not rolled up yet. */
export function isPending({ hours, underWay }: LateRollUp): boolean {
  return !hours.isEmpty() || underWay > 0;
}

/** Returns the end of the last hour that has ended for good. */
function findSettledUs(nowUs: number): number {
  return Math.floor((nowUs - hourSettlesUs) / hourUs) * hourUs;
}

/**
 * Remembers the hours of samples that came late, to be rolled up in a minute.
 * @throws FleetmarkError STORE_FAILED; the hours are remembered here all the same
 */
export async function addLate(late: LateRollUp, batches: readonly Batch[], nowUs: number): Promise<void> {
  const { hours, server } = late;
  const isV2 = server.generation() === "2";
  const added = hours.add(batches, isV2 ? findSettledUs(nowUs) : nowUs - lateAfterUs);
  if (isV2) late.unwritten.push(...createMarks(added));
  if (hours.isEmpty() && late.unwritten.length === 0) return;
  awaitRollUp(late);
  if (late.unwritten.length === 0 || !(await server.hasPolicy("hourly"))) return;
  const marks = late.unwritten;
  await writeMarks(server, marks, true);
  late.marks.push(...marks);
  late.unwritten = [];
}

/** Takes over the hours that a collector before has not come to roll up (2.x). */
export async function resumeLate(late: LateRollUp): Promise<void> {
  if (!(await late.server.hasPolicy("hourly"))) return;
  const marks = await readMarks(late.server);
  late.marks.push(...marks);
  late.hours.restore(marks.map(toRange));
  if (marks.length > 0) awaitRollUp(late);
}

function awaitRollUp(late: LateRollUp): void {
  if (late.timer !== undefined) return;
  late.timer = setTimeout(() => {
    late.timer = undefined;
    // What fails is tried again in the night; until then /readyz tells of it.
    rollUpLate(late).catch(() => {});
  }, rollUpWithinMs).unref();
}

/** Rolls up the hours that have ended (2.x), after what is under way. */
export function rollUpEnded(late: LateRollUp, nowUs: number): Promise<void> {
  return queueRollUp(late, "ended", async () => {
    if ((await late.server.identify()) !== "2" || !(await late.server.hasPolicy("hourly"))) return;
    await rollUpFinished(late.server, late.findOldestUs(), findSettledUs(nowUs));
  });
}

/** Rolls up each hour once it has ended (2.x), until the roll-up is closed. */
export function startHours(late: LateRollUp, now: () => number): void {
  clearTimeout(late.hourTimer);
  // Up to a minute by chance: whoever comes second finds it done.
  const waitUs = findSettledUs(now()) + hourUs + hourSettlesUs - now() + Math.random() * 60e6;
  late.hourTimer = setTimeout(() => {
    // What fails is tried again an hour later; until then /readyz tells of it.
    rollUpEnded(late, now()).catch(() => {});
    startHours(late, now);
  }, waitUs / 1e3).unref();
}

/** Rolls up the hours that came late, after what is under way. */
export function rollUpLate(late: LateRollUp): Promise<void> {
  late.underWay++;
  return queueRollUp(late, "late", () =>
    rollUpRanges(late).finally(() => {
      late.underWay--;
    }),
  );
}

async function rollUpRanges(late: LateRollUp): Promise<void> {
  const ranges = late.hours.drain();
  const marks = late.marks;
  late.marks = [];
  try {
    while (ranges.length > 0) {
      await rollUpRange(late, ranges[0]);
      ranges.shift();
    }
    await writeMarks(late.server, marks, false);
  } catch (thrown) {
    late.hours.restore(ranges);
    late.marks.push(...marks);
    throw thrown;
  }
}

export async function closeLateRollUp({ timer, hourTimer, server }: LateRollUp): Promise<void> {
  clearTimeout(timer);
  clearTimeout(hourTimer);
  await server.close();
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
  const { database } = target;
  if ((await server.identify()) === "2") return rollUpSpan(server, { startUs, endUs }, host);
  const policies = await server.query("SHOW RETENTION POLICIES");
  const own = policies.flatMap(({ columns, values }) => values.filter((row) => row[columns.indexOf("default")] === true));
  const policy = String(own[0]?.[0] ?? "autogen");
  for (let dayUs = startUs; dayUs < endUs; dayUs += 24 * hourUs) {
    const ofHost = host === undefined ? [] : [`"host" = ${quoteText(host)}`];
    const conditions = [...ofHost, `time >= ${dayUs}u`, `time < ${Math.min(endUs, dayUs + 24 * hourUs)}u`];
    await server.query(rollupSelect(database, policy, conditions));
  }
}
