import { setTimeout as delay } from "node:timers/promises";
import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { Series } from "@fleetmark/shared/model/series";
import type { StoreReader } from "../store/store.js";

/** How long after a failure the store is left in peace. */
const patienceMs = 10_000;

/**
 * Creates the question which series the store has of a host. Those that ask at the same time share one reading of the
 * store.
 */
export function createSeriesQuestion(
  store: Pick<StoreReader, "listSeries">,
  logger: Logger,
): (host: string) => Promise<Series[] | undefined> {
  let reading: Promise<Map<string, Series[]> | undefined> | undefined;

  const read = async (): Promise<Map<string, Series[]> | undefined> => {
    try {
      const byHost = new Map<string, Series[]>();
      for (const series of await store.listSeries()) {
        const { host = "" } = series.tags;
        const siblings = byHost.get(host);
        if (siblings === undefined) byHost.set(host, [series]);
        else siblings.push(series);
      }
      return byHost;
    } catch (thrown) {
      logger.warn({ event: "series_unknown", error: errorMessage(thrown) }, "the store does not say which series it has");
      await delay(patienceMs, undefined, { ref: false });
      return undefined;
    } finally {
      reading = undefined;
    }
  };

  return async (host) => {
    reading ??= read();
    const byHost = await reading;
    return byHost === undefined ? undefined : (byHost.get(host) ?? []);
  };
}
