import type { Pace, ToldAlert } from "@fleetmark/shared/alerting/groups";
import { findInhibitors } from "@fleetmark/shared/alerting/inhibition";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { matchGlob } from "@fleetmark/shared/model/glob";
import type { Kpi } from "@fleetmark/shared/model/kpis";
import { alertRecord, type NotificationRecord, notificationRecord } from "@fleetmark/shared/records/alert";
import { createPause } from "@fleetmark/shared/waiting";
import type { Fleet } from "../fleet/fleet.js";
import type { CommitListener } from "../ingest/writer.js";
import { readClockUs, readSteadyUs } from "../platform/clock.js";
import type { RecordOptions } from "../records/own-records.js";
import type { StoreReader } from "../store/store.js";
import { type AlertBook, createAlertBook, type Findings } from "./alert-book.js";
import type { Follower, Sight, Watcher } from "./breaches.js";
import { createCollectorWatcher, readCollectors } from "./collector-watcher.js";
import { type ConfirmationsOptions, createConfirmations } from "./confirmations.js";
import { createDelivery, type Delivery, type NotificationLog } from "./delivery.js";
import { createKeeper } from "./keeper.js";
import { createKpiWatcher } from "./kpi-watcher.js";
import { createSilenceWatcher } from "./silence-watcher.js";
import { createSilences, type Silences } from "./silences.js";
import type { Sink } from "./sinks/sink.js";
import { type TestedSink, trySink } from "./sinks/try-sink.js";
import { createTelemetryWatcher } from "./telemetry-watcher.js";
import { createVerdictWatcher } from "./verdict-watcher.js";

/**
 * Finds what is not as it should be, and tells people.
 *
 *   committed records ─┐
 *   telemetry ─────────┼─► watchers ─► the book: pending ─► firing ─► resolved ─► records
 *   who is heard of ───┘                                       │
 *                                        silences, inhibition ─┴─► groups ─► ways to tell, each at its own pace
 */
export interface Alerting extends Running {
  readonly hear: CommitListener;
  readonly silences: Silences;
  list(): ListedAlert[];
  /** Names of what fires and is not silenced; undefined while that is not known yet. */
  firingNames(): readonly string[] | undefined;
  /** Sends a message to every way, and tells which of them took it. */
  test(): Promise<readonly TestedSink[]>;
}

export interface ListedAlert extends ToldAlert {
  readonly state: "pending" | "firing" | "resolved";
  /** Why nobody is told of it: `silenced`, or the name of the alert that mutes it; empty where people are. */
  readonly muted: string;
}

export interface AlertingOptions {
  readonly records: RecordOptions;
  readonly store: StoreReader;
  readonly fleet: Fleet;
  readonly kpis: readonly Kpi[];
  readonly sinks: readonly Sink[];
  /** Seconds between two evaluations. */
  readonly everyS: number;
  readonly pace: Pace;
  /** Globs of the names of alerts that nobody wants. */
  readonly ignore: readonly string[];
  /** Whether other collectors write to the store, and tell people too. */
  readonly isShared: boolean;
  /** Asks a host to measure again what was called slower; undefined where nobody wants that. */
  readonly send: ConfirmationsOptions["send"];
  readonly logger: Logger;
}

/** What an evaluation under way may take at the end, seconds. */
const endWithinS = 1;
/** An evaluation that comes later counts for no longer, seconds: a process that was stopped proves nothing. */
const longestStepS = 60;
/** Each collector waits so much longer than the one before it, in the order of their names, seconds. */
const turnS = 20;
/** A collector that wrote of itself within this can tell people, microseconds. */
const aliveUs = 180e6;
/** What others decided and measured is read again so often, microseconds. */
const readOthersUs = 60e6;

/** What could not be looked at leaves its alerts as they are. */
const unseen: Sight = { breaches: [], isUnknown: () => true };

interface Watched {
  readonly watcher: Watcher;
  failed: boolean;
}

async function lookAtAll(
  watched: readonly Watched[],
  ignore: readonly string[],
  nowUs: number,
  logger: Logger,
): Promise<Findings> {
  const sights: [Watcher, Sight][] = [];
  for (const each of watched) {
    try {
      sights.push([each.watcher, await each.watcher.look(nowUs)]);
      each.failed = false;
    } catch (thrown) {
      if (!each.failed) logger.warn({ event: "alerts_not_evaluated", err: thrown }, "some alerts can't be evaluated yet");
      each.failed = true;
      sights.push([each.watcher, unseen]);
    }
  }
  const isIgnored = (name: string): boolean => ignore.some((glob) => matchGlob(glob, name));
  return {
    breaches: sights.flatMap(([, { breaches }]) => breaches.filter(({ name }) => !isIgnored(name))),
    isUnknown: (alert) => sights.some(([watcher, sight]) => watcher.tellsOf(alert.name) && sight.isUnknown(alert)),
  };
}

function createLog({ store, records, isShared }: AlertingOptions, keep: (record: NotificationRecord) => void): NotificationLog {
  return {
    read: (sink) => store.readLatest(notificationRecord, { sink }),
    write: (record) => keep({ ...record, by: records.name }),
    waitS: async (nowUs) => {
      if (!isShared) return 0;
      const found = await readCollectors(store, nowUs, aliveUs).catch(() => new Map<string, number>());
      const names = [...found.keys()].sort();
      return turnS * Math.max(0, names.indexOf(records.name));
    },
  };
}

/** What fires and who mutes what, as people see it. */
function muteAlerts(book: AlertBook, silences: Silences, nowUs: number): (alert: ToldAlert) => string {
  const inhibit = findInhibitors(book.firing());
  return (alert) => (silences.isSilenced(alert, nowUs) ? "silenced" : (inhibit(alert) ?? ""));
}

/** What alerting works with from one evaluation to the next. */
interface Work {
  readonly options: AlertingOptions;
  readonly book: AlertBook;
  readonly silences: Silences;
  readonly watched: readonly Watched[];
  readonly followers: readonly Follower[];
  readonly keeper: ReturnType<typeof createKeeper>;
  readonly deliveries: readonly Delivery[];
  /** When what fires was first found to concern somebody, by its id. */
  readonly firedUs: Map<string, number>;
  isRestored: boolean;
  lastUs: number;
  othersUs: number;
}

/** Reads what was known of alerts when the collector began, and what others have decided and measured since. */
async function readKnown(work: Work, nowUs: number): Promise<void> {
  const { options, book, silences, followers } = work;
  const { isShared, store } = options;
  if (work.isRestored && !(isShared && Math.abs(nowUs - work.othersUs) >= readOthersUs)) return;
  await silences.read();
  if (work.isRestored) for (const follower of followers) await follower.catchUp(nowUs);
  else book.restore(await store.readLatest(alertRecord, {}), nowUs);
  work.isRestored = true;
  work.othersUs = nowUs;
}

/** A fault of the alerts' own must not end the collector. */
function tellFailure(logger: Logger, thrown: unknown): void {
  logger.error({ event: "alerts_not_evaluated", err: thrown }, "the alerts failed; it is tried again");
}

/** Begins to tell what there is to be told. A way that hangs keeps nobody waiting: each is left to itself. */
function tellAll({ options, book, silences, firedUs, deliveries, keeper }: Work, nowUs: number): void {
  const all = book.firing();
  const mute = muteAlerts(book, silences, nowUs);
  const firing = all.filter((alert) => mute(alert) === "");
  const ids = new Set(firing.map(({ id }) => id));
  for (const id of ids) if (!firedUs.has(id)) firedUs.set(id, nowUs);
  for (const id of firedUs.keys()) if (!ids.has(id)) firedUs.delete(id);
  const standing = { all, firing, resolved: book.resolved(), firedUs };
  for (const delivery of deliveries) {
    delivery
      .tell(standing, nowUs)
      .then(keeper.save)
      .catch((thrown: unknown) => tellFailure(options.logger, thrown));
  }
}

async function evaluate(work: Work, isStopped: () => boolean): Promise<void> {
  const { options, book, watched, keeper } = work;
  const { logger, ignore } = options;
  const nowUs = readClockUs();
  try {
    await readKnown(work, nowUs);
  } catch (thrown) {
    if (isStopped()) return;
    logger.warn({ event: "alerts_not_evaluated", err: thrown }, "what is known of alerts can't be read yet");
    if (!work.isRestored) return;
  }
  const steadyUs = readSteadyUs();
  const elapsedS = Math.min(longestStepS, (steadyUs - work.lastUs) / 1e6);
  work.lastUs = steadyUs;
  const findings = await lookAtAll(watched, ignore, nowUs, logger);
  if (isStopped()) return;
  keeper.alerts.add(...book.advance(findings, { nowUs, elapsedS }));
  await keeper.save();
  tellAll(work, nowUs);
}

function listAlerts({ book, silences }: Work): ListedAlert[] {
  const mute = muteAlerts(book, silences, readClockUs());
  const firing = book.firing().map((alert): ListedAlert => ({ ...alert, state: "firing", muted: mute(alert) }));
  const others = (state: "pending" | "resolved", alerts: readonly ToldAlert[]): ListedAlert[] =>
    alerts.map((alert) => ({ ...alert, state, muted: "" }));
  return [...firing, ...others("pending", book.pending()), ...others("resolved", book.resolved())];
}

function nameFiring(work: Work): readonly string[] | undefined {
  if (!work.isRestored) return undefined;
  const told = listAlerts(work).filter(({ state, muted }) => state === "firing" && muted !== "silenced");
  return [...new Set(told.map(({ name }) => name))];
}

function createWork(options: AlertingOptions, followers: readonly Follower[]): Work {
  const { records, store, fleet, sinks, pace, isShared, logger } = options;
  const keeper = createKeeper(records, logger);
  const log = createLog(options, keeper.notifications.add);
  const watchers = [
    ...followers,
    createSilenceWatcher({ fleet, store, isShared, startedUs: readClockUs() }),
    createTelemetryWatcher(store),
    ...(isShared ? [createCollectorWatcher(store)] : []),
  ];
  return {
    options,
    book: createAlertBook(),
    silences: createSilences({ records, store }),
    watched: watchers.map((watcher) => ({ watcher, failed: false })),
    followers,
    keeper,
    deliveries: sinks.map((sink) => createDelivery(sink, { log, logger, pace })),
    firedUs: new Map(),
    isRestored: false,
    lastUs: readSteadyUs(),
    othersUs: Number.NEGATIVE_INFINITY,
  };
}

/** Begins to watch, and to tell. */
export function startAlerting(options: AlertingOptions): Alerting {
  const { store, kpis, sinks, send, isShared, logger } = options;
  const confirmations = createConfirmations({ send, startedUs: readClockUs(), isShared, logger });
  const followers = [createKpiWatcher(store, kpis), createVerdictWatcher(store, confirmations)];
  const work = createWork(options, followers);
  let working: Promise<void> | undefined;
  let isStopped = false;
  const tick = (): void => {
    working ??= evaluate(work, () => isStopped)
      .catch((thrown: unknown) => tellFailure(options.logger, thrown))
      .finally(() => {
        working = undefined;
      });
  };
  const timer = setInterval(tick, 1000 * options.everyS);
  timer.unref();
  const ending = createPause();
  return {
    hear: (committed) => {
      for (const follower of followers) follower.hear(committed);
    },
    silences: work.silences,
    list: () => listAlerts(work),
    firingNames: () => nameFiring(work),
    test: () => Promise.all(sinks.map((sink) => trySink(sink, readClockUs()))),
    stop: async () => {
      isStopped = true;
      clearInterval(timer);
      await Promise.race([working, ending.wait(endWithinS)]);
      ending.end();
    },
  };
}
