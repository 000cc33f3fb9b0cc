import type { hostsAnswer } from "@fleetmark/shared/api/answers";
import type { z } from "zod";
import type { Fleet, HostState } from "../fleet/fleet.js";
import type { HostRecord } from "../store/hosts.js";

type HostAnswer = z.infer<typeof hostsAnswer>[number];

/** Joins what is stored of the hosts with what the collector knows of them now. */
export function describeHosts(stored: readonly HostRecord[], fleet: Fleet): HostAnswer[] {
  const names = new Set([...stored.map(({ host }) => host), ...fleet.names()]);
  const records = new Map(stored.map((record) => [record.host, record]));
  return [...names].sort().map((host) => describeHost(host, records.get(host), fleet.get(host)));
}

function describeHost(host: string, record: HostRecord | undefined, state: HostState | undefined): HostAnswer {
  const hello = state?.hello;
  return {
    host,
    version: hello?.version ?? record?.version ?? "",
    hw_class: hello?.hwClass ?? record?.hw_class ?? "",
    inventory: hello === undefined ? (record?.inventory ?? {}) : JSON.parse(hello.inventoryJson),
    last_seen_us: Math.max(state?.lastSeenUs ?? 0, record?.last_seen_us ?? 0),
    attached: state?.attached ?? false,
    attached_since_us: state?.attached === true ? state.attachedSinceUs : null,
    progress: state?.progress ?? null,
    outlook: state?.attached === true ? (state.outlook ?? null) : null,
    batches_received: state?.counters.batches_received ?? 0,
    batches_rejected: state?.counters.batches_rejected ?? 0,
    samples_refused: state?.counters.samples_refused ?? 0,
  };
}
