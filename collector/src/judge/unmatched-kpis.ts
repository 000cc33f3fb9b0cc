import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { feedsKpi, type Kpi, kpis, selectKpis } from "@fleetmark/shared/model/kpis";
import type { Result } from "@fleetmark/shared/model/result";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { readClockUs } from "../platform/clock.js";
import type { StoreReader } from "../store/store.js";

/** What rules of the configuration made of the KPIs is of use only while results feed it: who mistyped is told. */
export interface UnmatchedKpis extends Running {
  /** Which KPIs of the configuration nothing has fed for a week, in words; undefined where all were fed. */
  find(): string | undefined;
}

export interface UnmatchedKpisOptions {
  readonly catalogue: readonly Kpi[];
  readonly store: Pick<StoreReader, "readLatest" | "readNewest">;
  readonly logger: Logger;
}

const weekUs = 7 * 86_400e6;
const lookEveryMs = 86_400e3;
/** After the start, and after a failure. */
const lookAfterMs = 60e3;

function describeKpi({ id, hosts, hw_class }: Kpi): string {
  const scope = [hosts === undefined ? "" : `hosts ${hosts}`, hw_class === undefined ? "" : `class ${hw_class}`];
  const said = scope.filter((each) => each !== "").join(", ");
  return said === "" ? id : `${id} (${said})`;
}

/** Finds the KPIs of a configuration that none of these results feeds. */
export function findUnmatched(catalogue: readonly Kpi[], results: readonly Result[]): string[] {
  const own = catalogue.filter((kpi) => !kpis.includes(kpi));
  const isFed = (kpi: Kpi): boolean =>
    results.some((result) => feedsKpi(kpi, result) && selectKpis(catalogue, result).includes(kpi));
  return own.filter((kpi) => !isFed(kpi)).map(describeKpi);
}

/** Looks once a day. Before the store holds a week, nothing is said: a new fleet has not measured everything yet. */
export function watchUnmatchedKpis({ catalogue, store, logger }: UnmatchedKpisOptions, nowUs = readClockUs): UnmatchedKpis {
  let unmatched: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const look = async (): Promise<void> => {
    let nextMs = lookEveryMs;
    try {
      const sinceUs = nowUs() - weekUs;
      const before = await store.readNewest(runRecord, { tags: {}, limit: 1, beforeUs: sinceUs });
      const latest = before.length === 0 ? [] : await store.readLatest(resultRecord, {});
      const recent = latest.filter(({ time_us }) => time_us >= sinceUs);
      // A fleet that measures nothing at all has another trouble.
      unmatched = recent.length === 0 ? [] : findUnmatched(catalogue, recent);
      if (unmatched.length > 0)
        logger.warn({ event: "kpi_rules_unmatched", kpis: unmatched }, "no result fed these KPIs for a week");
    } catch (thrown) {
      nextMs = lookAfterMs;
      logger.warn({ event: "kpi_rules_not_checked", err: thrown }, "whether results feed the configured KPIs can't be read");
    }
    plan(nextMs);
  };
  const plan = (inMs: number): void => {
    if (isStopped) return;
    timer = setTimeout(() => void look(), inMs);
    timer.unref();
  };
  if (catalogue.some((kpi) => !kpis.includes(kpi))) plan(lookAfterMs);
  return {
    find: () =>
      unmatched.length === 0
        ? undefined
        : `no result has fed these KPIs of the configuration for a week: ${unmatched.join(", ")}`,
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
