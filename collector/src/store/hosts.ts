import { type Introduction, introductionRecord } from "@fleetmark/shared/records/introduction";
import type { StoreReader } from "./store.js";

/** A host as its agent last introduced it. */
export interface HostRecord extends Omit<Introduction, "time_us"> {
  /** When anything of it was last stored, microseconds since the Unix epoch. */
  readonly last_seen_us: number;
}

/** Reads the hosts that a store knows, in the order of their names. */
export async function readHosts(store: Pick<StoreReader, "readLatest" | "readReceived">): Promise<HostRecord[]> {
  const [introductions, received] = await Promise.all([store.readLatest(introductionRecord, {}), store.readReceived()]);
  return introductions
    .map(({ time_us, ...host }) => ({ ...host, last_seen_us: Math.max(time_us, received.get(host.host) ?? 0) }))
    .sort((a, b) => (a.host < b.host ? -1 : Number(a.host > b.host)));
}
