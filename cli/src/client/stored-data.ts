import type { CollectorConfig } from "@fleetmark/collector/config";
import { findResults, openConfiguredReader, readHosts } from "@fleetmark/collector/reader";
import { foldHostKpis } from "@fleetmark/shared/model/host-kpis";
import { baselineRecord } from "@fleetmark/shared/records/baseline";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { verdictRecord } from "@fleetmark/shared/records/verdict";
import { verdictMarkRecord } from "@fleetmark/shared/records/verdict-mark";
import type { Source } from "./source.js";

/** What nobody knows of a host but a collector that runs. */
const unknown = {
  attached: false,
  attached_since_us: null,
  progress: null,
  outlook: null,
  batches_received: 0,
  batches_rejected: 0,
  samples_refused: 0,
};

/**
 * Opens what a collector has stored, to be read alone.
 * @throws FleetmarkError DATA_MISSING, DATA_LOCKED, DATA_NEWER, DATA_CORRUPT, CONFIG_UNREADABLE, STORE_FAILED
 */
export async function openStoredData({
  store: config,
  data_dir,
  kpis,
}: Pick<CollectorConfig, "store" | "data_dir" | "kpis">): Promise<Source> {
  const store = await openConfiguredReader(config, data_dir);
  const description = config.kind === "duckdb" ? `the data in ${data_dir}` : `the ${config.kind} store at ${config.url}`;
  return {
    description,
    isRunning: false,
    readHosts: async () => (await readHosts(store)).map((host) => ({ ...host, ...unknown })),
    readRuns: (tags, page) => store.readNewest(runRecord, { tags: { ...tags }, ...page }),
    readResults: (filter) => findResults(store, { ...filter }),
    readKpis: async ({ run, ...filter }) => foldHostKpis(await findResults(store, { ...filter, run }), run, kpis),
    readNewest: (tags, page) => store.readNewest(resultRecord, { tags: { ...tags }, ...page }),
    readVerdicts: async ({ verdict, ...tags }) => {
      const found = await store.readLatest(verdictRecord, tags);
      return found.filter((each) => verdict === undefined || each.verdict === verdict);
    },
    readNewestVerdicts: (tags, page) => store.readNewest(verdictRecord, { tags: { ...tags }, ...page }),
    readVerdictMarks: (tags, page) => store.readNewest(verdictMarkRecord, { tags: { ...tags }, ...page }),
    readBaselines: (host) => store.readLatest(baselineRecord, { host }),
    close: () => store.close(),
  };
}
