import { hostsAnswer, resultsAnswer, runsAnswer } from "@fleetmark/shared/api/answers";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { askCollector } from "./collector-api.js";
import type { Source } from "./source.js";

function writeTags(filter: object): string[] {
  return Object.entries(filter).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
}

/** Reads from a running collector, over its HTTP API. */
export function createRunningSource(address: Address): Source {
  return {
    description: `the collector at ${formatAddress(address)}`,
    isRunning: true,
    readHosts: () => askCollector(address, "hosts", hostsAnswer),
    readRuns: (filter, { limit, beforeUs: before_us }) =>
      askCollector(address, "records/run", runsAnswer, { tags: writeTags(filter), limit, before_us }),
    readResults: (filter) => askCollector(address, "results", resultsAnswer, { ...filter }),
    readNewest: (filter, { limit, beforeUs: before_us }) =>
      askCollector(address, "records/benchmark", resultsAnswer, { tags: writeTags(filter), limit, before_us }),
    close: async () => {},
  };
}
