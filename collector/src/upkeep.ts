import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { CollectorConfig } from "./config.js";
import type { ClockWatch } from "./fleet/clock-watch.js";
import type { OnBytes } from "./platform/child-task.js";
import { readClockUs } from "./platform/clock.js";
import { backUpApart } from "./store/backup/backup-process.js";
import { answerBackupRequests } from "./store/backup/backup-requests.js";
import { type NightlyRetention, startNightlyRetention } from "./store/nightly-retention.js";
import type { Store } from "./store/store.js";
import type { Metrics } from "./telemetry/metrics.js";

/** What keeps a store in order while its collector runs. */

interface UpkeepBase {
  readonly config: CollectorConfig;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly undoings: (() => Promise<unknown>)[];
}

/** When a batch was last received before now, where the store can tell. */
async function findLastHeard(store: Store): Promise<number | undefined> {
  const received = await store.readReceived().catch(() => new Map<string, number>());
  return [...received.values()].reduce<number | undefined>((last, each) => Math.max(last ?? each, each), undefined);
}

/** Makes the backups that are asked for while the collector holds the data file. */
function startBackups({ config, logger, undoings }: UpkeepBase, store: Store): void {
  const backUp = async (folder: string, onBytes: OnBytes): Promise<void> => {
    const copy = async (path: string): Promise<void> => void (await backUpApart(path, folder, readClockUs(), onBytes));
    await store.freeze(copy);
  };
  undoings.push(answerBackupRequests({ dataDir: config.data_dir, logger, backUp }).stop);
}

/** Shows how much of the store was found damaged, and says so when it becomes more. */
function watchDamage(store: Store, metrics: Metrics, logger: Logger): Running {
  let told = 0;
  const look = (): void => {
    const ranges = store.listDamage();
    const rows = ranges.reduce((sum, range) => sum + range.rows, 0);
    metrics.damagedRows.set(rows);
    if (rows === told) return;
    told = rows;
    logger.error({ event: "store_damaged", rows, ranges: ranges.length }, "rows of the data file can't be read, and are missing");
  };
  look();
  const timer = setInterval(look, 5000);
  timer.unref();
  return { stop: async () => clearInterval(timer) };
}

/**
 * Starts what keeps the store in order: the nightly roll-up, which trusts no clock that hosts and data contradict, the
 * look for damage, and backups when they are asked for.
 */
export function startUpkeep(
  { config, metrics, logger, undoings }: UpkeepBase,
  store: Store,
  clock: ClockWatch,
): NightlyRetention {
  let heardUs: number | undefined;
  void findLastHeard(store).then((found) => {
    heardUs = found;
  });
  const retention = startNightlyRetention({
    store,
    dataDir: config.data_dir,
    keep: config.store.retention,
    readClockUs,
    findEvidence: () => ({ dispute: clock.findDispute(), agreeing: clock.judge().agreeing, heardUs }),
    onHeld: (isHeld) => metrics.retentionHeld.set(isHeld ? 1 : 0),
    logger,
  });
  undoings.push(retention.stop);
  undoings.push(watchDamage(store, metrics, logger).stop);
  startBackups({ config, metrics, logger, undoings }, store);
  return retention;
}
