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

/** What a configuration has made of the KPIs of the project. */
const listOwn = (catalogue: readonly Kpi[]): Kpi[] => catalogue.filter((kpi) => !kpis.includes(kpi));

/** Finds the KPIs of a configuration that none of these results feeds. */
export function findUnmatched(catalogue: readonly Kpi[], results: readonly Result[]): string[] {
  const isFed = (kpi: Kpi): boolean =>
    results.some((result) => feedsKpi(kpi, result) && selectKpis(catalogue, result).includes(kpi));
  return listOwn(catalogue)
    .filter((kpi) => !isFed(kpi))
    .map(describeKpi);
}

/** Whether anything was measured within the time, and the store reaches back beyond it. */
async function isJudgeable(store: UnmatchedKpisOptions["store"], sinceUs: number): Promise<boolean> {
  const [newest] = await store.readNewest(runRecord, { tags: {}, limit: 1 });
  const before = await store.readNewest(runRecord, { tags: {}, limit: 1, beforeUs: sinceUs });
  return newest !== undefined && newest.time_us >= sinceUs && before.length > 0;
}

/** Reads the latest results of the benchmarks that the KPIs of a configuration are of: of others there may be many. */
async function readMeant({ catalogue, store }: UnmatchedKpisOptions): Promise<Result[]> {
  const found: Result[] = [];
  for (const benchmark of new Set(listOwn(catalogue).map((kpi) => kpi.benchmark))) {
    found.push(...(await store.readLatest(resultRecord, { benchmark })));
  }
  return found;
}

/** Looks once a day. Before the store holds a week, nothing is said: a new fleet has not measured everything yet. */
export function watchUnmatchedKpis(options: UnmatchedKpisOptions, nowUs = readClockUs): UnmatchedKpis {
  const { catalogue, store, logger } = options;
  let unmatched: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const look = async (): Promise<void> => {
    let nextMs = lookEveryMs;
    try {
      const sinceUs = nowUs() - weekUs;
      // A fleet that measures nothing at all has another trouble.
      const meant = (await isJudgeable(store, sinceUs)) ? await readMeant(options) : undefined;
      const recent = meant?.filter(({ time_us }) => time_us >= sinceUs);
      unmatched = recent === undefined ? [] : findUnmatched(catalogue, recent);
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
  if (listOwn(catalogue).length > 0) plan(lookAfterMs);
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
