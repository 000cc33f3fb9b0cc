import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import type { CollectorConfig } from "../config.js";
import { readClockUs } from "../platform/clock.js";
import { connectInflux } from "./influx/server.js";
import { openConfiguredStore, readInfluxTarget } from "./open.js";
import { describeRetention } from "./setup-plan.js";
import type { Store } from "./store.js";

/** One thing that a collector needs of its store. */
export interface StoreCheck {
  readonly step: "open" | "write" | "read" | "keep";
  readonly ok: boolean;
  /** What was done, or what is wrong and what to do. */
  readonly detail: string;
  readonly seconds: number;
}

const measurement = "fleetmark_check";
const host = "fleetmark-check";

/** Says which store a configuration means. */
export function describeStore({ store, data_dir }: Pick<CollectorConfig, "store" | "data_dir">): string {
  return store.kind === "duckdb"
    ? `the data file in ${data_dir}`
    : `InfluxDB at ${store.url}, ${store.org === "" ? "database" : "bucket"} ${store.database}`;
}

/** Writes a point of measurement `fleetmark_check`, reads it back, and looks how long it is kept. Ends at the first step that fails. */
export async function checkStore(config: Pick<CollectorConfig, "store" | "data_dir">): Promise<StoreCheck[]> {
  const checks: StoreCheck[] = [];
  const attempt = async <T>(step: StoreCheck["step"], detail: string, act: () => Promise<T>): Promise<T | undefined> => {
    const started = performance.now();
    const end = (ok: boolean, said: string): void => {
      checks.push({ step, ok, detail: said, seconds: (performance.now() - started) / 1e3 });
    };
    try {
      const value = await act();
      end(true, detail);
      return value;
    } catch (thrown) {
      end(false, thrown instanceof FleetmarkError ? `${thrown.code}: ${thrown.message}` : errorMessage(thrown));
      return undefined;
    }
  };
  const refused: string[] = [];
  const store = await attempt("open", describeStore(config), () =>
    openConfiguredStore(config.store, config.data_dir, async (_, reason) => {
      refused.push(reason);
    }),
  );
  if (store === undefined) return checks;
  try {
    const timeUs = readClockUs();
    const written = await attempt("write", "one point", () => writePoint(store, timeUs, refused));
    const read = written && (await attempt("read", "the same point", () => readPoint(store, timeUs)));
    if (read !== undefined) {
      const kept = await attempt("keep", describeRetention(config.store.retention), () => isSetUp(config.store));
      // It works without, so that is no failure.
      if (kept === false) checks.push({ ...(checks.pop() as StoreCheck), detail: notSetUp });
    }
  } finally {
    await store.close();
  }
  return checks;
}

const notSetUp = "as long as the server's default policy says, and nothing is rolled up: `fleetmark store setup` changes that";

/** Whether what `fleetmark store setup` makes is there, and may be written to; a data file needs none of it. */
async function isSetUp(config: CollectorConfig["store"]): Promise<boolean> {
  if (config.kind === "duckdb") return true;
  const server = connectInflux(await readInfluxTarget(config));
  try {
    if (!((await server.hasPlace("records")) && (await server.hasPlace("hourly")))) return false;
    const timeUs = readClockUs();
    const written = await server.write([`${measurement},host=${host} value=${timeUs} ${timeUs}`], "records");
    if (written.kind !== "committed") throw new FleetmarkError("STORE_REFUSED", `a point for the records was ${written.kind}`);
    return true;
  } finally {
    await server.close();
  }
}

async function writePoint(store: Store, timeUs: number, refused: readonly string[]): Promise<true> {
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
