import { FleetmarkError } from "@fleetmark/shared/errors";
import { readClockUs } from "../../platform/clock.js";
import type { Retention } from "../retention.js";
import { decideRetention, giveConsent, readRetentionMemory, takeConsent, writeRetentionMemory } from "../retention-guard.js";
import type { Retained, RetentionPlan, Store } from "../store.js";
import { openConfiguredReader, openConfiguredStore, type StoreConfig } from "./registry.js";

/** The collector's configuration, as far as it concerns what goes when. */
interface RetentionConfig {
  readonly data_dir: string;
  readonly store: StoreConfig & { readonly retention: Retention };
}

/** What the next roll-up would do, as far as it can be told. */
export interface StoreRetentionPlan {
  /** When it was last done, microseconds since the Unix epoch; null where it never was. */
  readonly last_us: number | null;
  /** What is held against it; null where nothing is. */
  readonly held: string | null;
  /** Null where they can't be counted: the server does it by itself, or a collector holds the data. */
  readonly counts: RetentionPlan | null;
  readonly is_running: boolean;
}

/** Opens the store as a collector would; undefined while a collector holds its data file. */
async function openFree({ store, data_dir }: RetentionConfig): Promise<Store | undefined> {
  try {
    // To be opened for writing, what is not there would be made.
    await (await openConfiguredReader(store, data_dir)).close();
    return await openConfiguredStore(store, data_dir, async () => {});
  } catch (thrown) {
    if (thrown instanceof FleetmarkError && thrown.code === "DATA_LOCKED") return undefined;
    throw thrown;
  }
}

/**
 * Says what the next roll-up would do, and what is held against it.
 * @throws FleetmarkError DATA_MISSING, and as opening the store does
 */
export async function planStoreRetention(config: RetentionConfig): Promise<StoreRetentionPlan> {
  const memory = await readRetentionMemory(config.data_dir);
  const store = await openFree(config);
  const last_us = memory === undefined || memory.lastUs === 0 ? null : memory.lastUs;
  if (store === undefined) return { last_us, held: memory?.held?.reason ?? null, counts: null, is_running: true };
  try {
    const received = await store.readReceived();
    const heardUs = received.size === 0 ? undefined : Math.max(...received.values());
    const nowUs = readClockUs();
    const evidence = { dispute: undefined, agreeing: 0, heardUs };
    const decision = decideRetention(nowUs, config.store.retention, memory, evidence);
    const counts = (await store.planRetention(nowUs)) ?? null;
    return { last_us, held: decision.kind === "hold" ? decision.reason : null, counts, is_running: false };
  } finally {
    await store.close();
  }
}

/**
 * Rolls up and drops what is past its time, whatever is held against it.
 * @returns what was done; undefined where the server does it by itself; `locked` while a collector holds the data
 * @throws FleetmarkError as opening the store does, STORE_FAILED
 */
export async function retainStoreNow(config: RetentionConfig): Promise<Retained | undefined | "locked"> {
  const store = await openFree(config);
  if (store === undefined) return "locked";
  try {
    const nowUs = readClockUs();
    const retained = await store.retain(nowUs);
    await takeConsent(config.data_dir);
    await writeRetentionMemory(config.data_dir, { lastUs: nowUs, keep: config.store.retention, held: null });
    return retained;
  } finally {
    await store.close();
  }
}

/** Lets the collector that runs do it at once. */
export async function allowRetention({ data_dir }: RetentionConfig): Promise<void> {
  await giveConsent(data_dir);
}
