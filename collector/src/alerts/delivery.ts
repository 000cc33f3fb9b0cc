import { nameGroup, type Pace, planNotification, type ToldAlert, type ToldBefore } from "@fleetmark/shared/alerting/groups";
import { writeTitle } from "@fleetmark/shared/alerting/message";
import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { NotificationRecord } from "@fleetmark/shared/records/alert";
import { type MessageSink, type Sink, type StateSink, takesSeverity } from "./sinks/sink.js";

/** What there is to be told at a moment. */
export interface Standing {
  /** All that fires. */
  readonly all: readonly ToldAlert[];
  /** What fires, and is neither silenced nor inhibited. */
  readonly firing: readonly ToldAlert[];
  readonly resolved: readonly ToldAlert[];
  /** When each alert that fires was first seen to, by its id; microseconds since the Unix epoch. */
  readonly firedUs: ReadonlyMap<string, number>;
}

/** Tells one way what there is to be told, however often that fails. */
export interface Delivery {
  /** Tells what is due, unless it is at it already or has to wait after a failure. Resolves when it has tried. */
  tell(standing: Standing, nowUs: number): Promise<void>;
}

/** What is shared between the collectors that could tell the same. */
export interface NotificationLog {
  /** What was last told of each group by a way, by whoever. @throws FleetmarkError STORE_FAILED */
  read(sink: string): Promise<readonly NotificationRecord[]>;
  /** Keeps it as soon as the store takes it. */
  write(record: Omit<NotificationRecord, "by">): void;
  /** Seconds that this collector waits for others to tell: 0 for the first of them, or where that is not known. */
  waitS(nowUs: number): Promise<number>;
}

export interface DeliveryOptions {
  readonly log: NotificationLog;
  readonly logger: Logger;
  readonly pace: Pace;
}

/** So many groups that a way refuses in a row are enough to see that it takes none. */
const mostFailures = 3;
/** Ids of one message that are kept for a collector that begins anew: InfluxDB takes no text of over 64 KiB. */
const mostKept = 3000;
const firstRetryUs = 5e6;
const longestRetryUs = 300e6;
/** An Alertmanager is told so often what fires, microseconds. */
const syncEveryUs = 60e6;

/** Waits for longer after each failure of a way, and says once that it fails and once that it does not any more. */
function createPatience(sink: Sink, logger: Logger) {
  let retryUs = 0;
  let notBeforeUs = Number.NEGATIVE_INFINITY;
  return {
    mustWait: (nowUs: number): boolean => nowUs < notBeforeUs && notBeforeUs - nowUs <= longestRetryUs,
    fail: (thrown: unknown, nowUs: number): void => {
      const { name, place } = sink;
      const fields = { sink: name, place, error: errorMessage(thrown).slice(0, 300) };
      if (retryUs === 0) logger.error({ event: "alerts_not_sent", ...fields }, "people can't be told of alerts by this way");
      retryUs = Math.min(longestRetryUs, Math.max(firstRetryUs, 2 * retryUs));
      notBeforeUs = nowUs + retryUs;
    },
    succeed: (): void => {
      if (retryUs > 0) logger.info({ event: "alerts_sent_again", sink: sink.name }, "people can be told of alerts again");
      retryUs = 0;
      notBeforeUs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** An Alertmanager ends what it hears of no more, so what it was told of once is told of until it is resolved. */
function createStateDelivery(sink: StateSink, { logger }: DeliveryOptions): Delivery {
  const patience = createPatience(sink, logger);
  let isBusy = false;
  let syncedUs = Number.NEGATIVE_INFINITY;
  let told = "";
  const sent = new Set<string>();
  return {
    tell: async ({ all, firing, resolved }, nowUs) => {
      const heard = new Set(firing.map(({ id }) => id));
      const wanted = all.filter((alert) => (heard.has(alert.id) || sent.has(alert.id)) && takesSeverity(sink, alert));
      const over = resolved.filter((alert) => takesSeverity(sink, alert));
      const state = JSON.stringify(wanted.map(({ id }) => id));
      const isDue = state !== told || Math.abs(nowUs - syncedUs) >= syncEveryUs;
      if (isBusy || !isDue || patience.mustWait(nowUs)) return;
      isBusy = true;
      try {
        if (wanted.length + over.length > 0) await sink.sync(wanted, over, nowUs);
        sent.clear();
        for (const { id } of wanted) sent.add(id);
        [told, syncedUs] = [state, nowUs];
        patience.succeed();
      } catch (thrown) {
        patience.fail(thrown, nowUs);
      } finally {
        isBusy = false;
      }
    },
  };
}

function readTold(records: readonly NotificationRecord[]): Map<string, ToldBefore> {
  return new Map(records.map(({ group, time_us, firing }) => [group, { sentUs: time_us, firing }]));
}

/** What a way for messages knows of what was told by it. */
interface Telling {
  readonly sink: MessageSink;
  readonly options: DeliveryOptions;
  readonly told: Map<string, ToldBefore>;
  isRead: boolean;
}

/**
 * What others have told, or this one before, is told; who can't read it tells all the same: twice is better than never.
 */
async function readLog(telling: Telling): Promise<void> {
  const { sink, options, told } = telling;
  try {
    const found = readTold(await options.log.read(sink.name));
    for (const [group, before] of found) if ((told.get(group)?.sentUs ?? -1) < before.sentUs) told.set(group, before);
    telling.isRead = true;
  } catch (thrown) {
    options.logger.warn({ event: "alerts_not_evaluated", err: thrown }, "what others have told of alerts can't be read");
  }
}

/** Plans what is told of a group; whoever is not the first in turn leaves the others some time to do it. */
function planGroup(telling: Telling, group: string, standing: Standing, nowUs: number, waitS: number) {
  const { sink, options, told } = telling;
  const ofGroup = (alerts: readonly ToldAlert[]): ToldAlert[] =>
    alerts.filter((alert) => nameGroup(alert) === group && takesSeverity(sink, alert));
  const firing = ofGroup(standing.firing);
  const before = told.get(group);
  const fresh = firing.filter(({ id }) => !before?.firing.includes(id));
  const beganUs = Math.min(...fresh.map(({ id }) => standing.firedUs.get(id) ?? nowUs));
  const { pace } = options;
  const waiting = { waitS: pace.waitS + waitS, repeatS: pace.repeatS + waitS, updateS: pace.updateS + waitS };
  return planNotification(group, firing, ofGroup(standing.resolved), before, beganUs, waiting, nowUs);
}

/** @throws Error when the way does not take it */
async function tellGroup(telling: Telling, group: string, standing: Standing, nowUs: number): Promise<void> {
  const { sink, options, told } = telling;
  // Whose turn it is costs a question to the store: it is asked where there is something to tell.
  if (planGroup(telling, group, standing, nowUs, 0) === undefined) return;
  const waitS = await options.log.waitS(nowUs);
  if (waitS > 0 && planGroup(telling, group, standing, nowUs, waitS) !== undefined) await readLog(telling);
  const notification = planGroup(telling, group, standing, nowUs, waitS);
  if (notification === undefined) return;
  await sink.send(notification);
  const { firing, resolved } = notification;
  const idsOf = (alerts: readonly ToldAlert[]): string[] => alerts.map(({ id }) => id);
  told.set(group, { sentUs: nowUs, firing: idsOf(firing) });
  const kept = { firing: idsOf(firing.slice(0, mostKept)), resolved: idsOf(resolved.slice(0, mostKept)) };
  options.log.write({ sink: sink.name, group, time_us: nowUs, title: writeTitle(notification), ...kept });
}

/** One that is refused for itself must not keep the others from being told. */
async function tellGroups(telling: Telling, standing: Standing, nowUs: number): Promise<unknown[]> {
  const groups = new Set([...standing.firing, ...standing.resolved].map(nameGroup));
  const failures: unknown[] = [];
  for (const group of groups) {
    await tellGroup(telling, group, standing, nowUs).catch((thrown: unknown) => failures.push(thrown));
    if (failures.length === mostFailures) break;
  }
  return failures;
}

/** What is told by messages, each group by itself; what was told is kept, so that it is told once. */
function createMessageDelivery(sink: MessageSink, options: DeliveryOptions): Delivery {
  const patience = createPatience(sink, options.logger);
  const telling: Telling = { sink, options, told: new Map(), isRead: false };
  let isBusy = false;
  return {
    tell: async (standing, nowUs) => {
      if (isBusy || patience.mustWait(nowUs)) return;
      isBusy = true;
      try {
        if (!telling.isRead) await readLog(telling);
        const failures = await tellGroups(telling, standing, nowUs);
        if (failures.length > 0) patience.fail(failures[0], nowUs);
        else patience.succeed();
      } finally {
        isBusy = false;
      }
    },
  };
}

export function createDelivery(sink: Sink, options: DeliveryOptions): Delivery {
  return sink.kind === "states" ? createStateDelivery(sink, options) : createMessageDelivery(sink, options);
}
