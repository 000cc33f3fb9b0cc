import {
  baselinesAnswer,
  hostsAnswer,
  kpisAnswer,
  resultsAnswer,
  runsAnswer,
  verdictMarksAnswer,
  verdictsAnswer,
} from "@fleetmark/shared/api/answers";
import { youngKpis } from "@fleetmark/shared/judgement/freshness";
import { formatAddress } from "@fleetmark/shared/model/units";
import { askCollector } from "./collector-api.js";
import type { Endpoint } from "./endpoint.js";
import type { Source } from "./source.js";

function writeTags(filter: object): string[] {
  return Object.entries(filter).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
}

/** Reads from a running collector, over its HTTP API. */
export function createRunningSource(endpoint: Endpoint): Source {
  return {
    description: `the collector at ${formatAddress(endpoint.address)}`,
    isRunning: true,
    readHosts: () => askCollector(endpoint, "hosts", hostsAnswer),
    readRuns: (filter, { limit, beforeUs: before_us }) =>
      askCollector(endpoint, "records/run", runsAnswer, { tags: writeTags(filter), limit, before_us }),
    readResults: (filter) => askCollector(endpoint, "results", resultsAnswer, { ...filter }),
    readKpis: async (filter) => {
      const hosts = await askCollector(endpoint, "kpis", kpisAnswer, { ...filter });
      return hosts.map((each) => ({ ...each, kpis: youngKpis(each.kpis) }));
    },
    readNewest: (filter, { limit, beforeUs: before_us }) =>
      askCollector(endpoint, "records/benchmark", resultsAnswer, { tags: writeTags(filter), limit, before_us }),
    readVerdicts: (filter) => askCollector(endpoint, "verdicts", verdictsAnswer, { ...filter }),
    readNewestVerdicts: (filter, { limit, beforeUs: before_us }) =>
      askCollector(endpoint, "records/verdict", verdictsAnswer, { tags: writeTags(filter), limit, before_us }),
    readVerdictMarks: (filter, { limit, beforeUs: before_us }) =>
      askCollector(endpoint, "records/verdict_mark", verdictMarksAnswer, { tags: writeTags(filter), limit, before_us }),
    readBaselines: (host) => askCollector(endpoint, "baselines", baselinesAnswer, { host }),
    close: async () => {},
  };
}
