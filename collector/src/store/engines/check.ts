import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { readClockUs } from "../../platform/clock.js";
import { describeRetention } from "../setup-plan.js";
import type { Store } from "../store.js";
import { findEngine, openConfiguredStore, type StoreLocation } from "./registry.js";

/** One thing that a collector needs of its store. */
export interface StoreCheck {
  readonly step: "deep" | "open" | "database" | "types" | "write" | "read" | "keep";
  readonly ok: boolean;
  /** What was done, or what is wrong and what to do. */
  readonly detail: string;
  readonly seconds: number;
}

export interface DeepCheck {
  /** Told of the share that was read, from 0 to 1. */
  readonly onProgress: (share: number) => void;
}

const measurement = "fleetmark_check";
const host = "fleetmark-check";
const notSetUp = "as long as the server's default policy says, and nothing is rolled up: `fleetmark store setup` changes that";

/** Does one step and writes down how it went; returns what it gave, or undefined where it failed. */
async function attempt<T>(
  checks: StoreCheck[],
  step: StoreCheck["step"],
  describe: (value: T) => string,
  act: () => Promise<T>,
): Promise<T | undefined> {
  const started = performance.now();
  const end = (ok: boolean, detail: string): void => {
    checks.push({ step, ok, detail, seconds: (performance.now() - started) / 1e3 });
  };
  try {
    const value = await act();
    end(true, describe(value));
    return value;
  } catch (thrown) {
    end(false, thrown instanceof FleetmarkError ? `${thrown.code}: ${thrown.message}` : errorMessage(thrown));
    return undefined;
  }
}

/**
 * Asks the server who it is, whether it knows the credentials and has the database, and whether another writer has
 * given fields of ours another type; writes a point of measurement `fleetmark_check`, reads it back, and looks how long
 * it is kept. Ends at the first step that fails.
 * @param deep reads everything that is stored besides
 */
export async function checkStore({ store: config, data_dir }: StoreLocation, deep?: DeepCheck): Promise<StoreCheck[]> {
  const checks: StoreCheck[] = [];
  const engine = findEngine(config);
  const reading = deep && (() => engine.readAll(config, data_dir, deep.onProgress) ?? "a server sees to its own files");
  if (reading !== undefined)
    await attempt(
      checks,
      "deep",
      (found: string) => found,
      async () => reading(),
    );
  const refused: string[] = [];
  const refuseLine = async (_: string, reason: string): Promise<void> => {
    refused.push(reason);
  };
  const opened = await attempt(
    checks,
    "open",
    ({ identity }) => identity,
    async () => ({
      identity: await engine.identify(config, data_dir),
      store: await openConfiguredStore(config, data_dir, refuseLine),
    }),
  );
  if (opened === undefined) return checks;
  const { store } = opened;
  try {
    for (const { step, ask } of engine.listQuestions(config)) {
      if ((await attempt(checks, step, (found) => found, ask)) === undefined) return checks;
    }
    const timeUs = readClockUs();
    const written = await attempt(
      checks,
      "write",
      () => "one point",
      () => writePoint(store, timeUs, refused),
    );
    const read =
      written &&
      (await attempt(
        checks,
        "read",
        () => "the same point",
        () => readPoint(store, timeUs),
      ));
    if (read === undefined) return checks;
    // It works without being set up, so that is no failure.
    const describeKeeping = (isSetUp: boolean): string => (isSetUp ? describeRetention(config.retention) : notSetUp);
    await attempt(checks, "keep", describeKeeping, () => engine.isSetUp(config, { measurement, host, timeUs: readClockUs() }));
  } finally {
    await store.close();
  }
  return checks;
}

async function writePoint(store: Store, timeUs: number, refused: readonly string[]): Promise<true> {
  await store.prepare();
  const builder = new BatchBuilder();
  builder.add({ measurement, tags: { host }, timeUs, fields: { value: timeUs } });
  await store.write([builder.build({ host, epochUs: timeUs, sequence: 1 })], timeUs);
  if (refused.length > 0) throw new FleetmarkError("STORE_REFUSED", refused[0]);
  return true;
}

async function readPoint(store: Store, timeUs: number): Promise<true> {
  const range = { fromUs: timeUs, toUs: timeUs + 1, bucketUs: 1, maxPoints: 1, aggregate: "last" } as const;
  const [history] = await store.history({ measurement, field: "value", tags: { host }, ...range });
  const found = history?.points[0]?.[1];
  if (found !== timeUs) throw new FleetmarkError("STORE_FAILED", `wrote ${timeUs} and read ${found ?? "nothing"} back`);
  return true;
}
