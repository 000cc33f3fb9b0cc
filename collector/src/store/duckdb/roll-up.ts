import { BIGINT, type DuckDBConnection, DuckDBListType, DuckDBListValue, type DuckDBValue, INTEGER } from "@duckdb/node-api";
import { findHorizonUs, hourUs, isKeptWhole, type Retention } from "../retention.js";
import type { RetentionPlan, RolledUp } from "../store.js";
import { gatherBatches } from "./batches/batch-table.js";
import { commit } from "./file/transaction.js";
import type { SeriesIndex } from "./series-index.js";

/** Hours of samples that one transaction rolls up: exact percentiles hold all of a transaction's samples in memory. */
const groupSamples = 2_000_000;

const fresh = `SELECT series_id, (time_us // ${hourUs}) * ${hourUs} AS time_us, CAST(count(*) AS DOUBLE) AS samples, avg(value) AS mean,
    min(value) AS min, max(value) AS max, arg_max(value, time_us) AS last, quantile_cont(value, 0.5) AS p50,
    list_sort(list(value))[greatest(1, CAST(floor(count(*) * 0.95 + 0.5) AS INTEGER))] AS p95
  FROM numbers
  WHERE time_us >= $from AND time_us < $to AND series_id NOT IN (SELECT unnest($kept))
  GROUP BY ALL`;

/**
 * Hours that are there already take in samples that came after them: exactly but for percentiles and the last value,
 * which stay those of the part with more samples.
 */
const merged = `SELECT series_id, time_us, f.samples + o.samples, (f.mean * f.samples + o.mean * o.samples) / (f.samples + o.samples),
    least(f.min, o.min), greatest(f.max, o.max), if(f.samples > o.samples, f.last, o.last),
    if(f.samples > o.samples, f.p50, o.p50), if(f.samples > o.samples, f.p95, o.p95)
  FROM (${fresh}) f JOIN hours o USING (series_id, time_us)
  UNION ALL
  SELECT f.* FROM (${fresh}) f ANTI JOIN hours USING (series_id, time_us)`;

interface Group {
  readonly fromUs: number;
  readonly toUs: number;
  readonly samples: number;
}

type Run = (sql: string, values: Record<string, DuckDBValue>) => Promise<number>;

/** Runs a statement of which only the parameters that it names are handed in; returns the rows that it changed. */
function createRun(connection: DuckDBConnection, shared: Record<string, DuckDBValue>): Run {
  const types = { kept: new DuckDBListType(INTEGER), hours: new DuckDBListType(BIGINT) };
  return async (sql, values) => {
    const all: Record<string, DuckDBValue> = { ...shared, ...values };
    const names = Object.keys(all).filter((name) => sql.includes(`$${name}`));
    const given = Object.fromEntries(names.map((name) => [name, all[name]]));
    const givenTypes = Object.fromEntries(Object.entries(types).filter(([name]) => names.includes(name)));
    return (await connection.run(sql, given, givenTypes)).rowsChanged;
  };
}

/** Groups the hours that hold telemetry past its time, so that no group holds much more samples than fit. */
async function findGroups(connection: DuckDBConnection, kept: DuckDBListValue, horizonUs: number): Promise<Group[]> {
  const rows = await connection.runAndReadAll(
    `SELECT time_us // ${hourUs} AS hour, count(*) FROM numbers
     WHERE time_us < $horizon AND series_id NOT IN (SELECT unnest($kept)) GROUP BY hour ORDER BY hour`,
    { horizon: BigInt(horizonUs), kept },
    { kept: new DuckDBListType(INTEGER) },
  );
  const groups: Group[] = [];
  for (const [hour, count] of rows.getRowsJS()) {
    const [fromUs, samples] = [Number(hour) * hourUs, Number(count)];
    const last = groups.at(-1);
    if (last !== undefined && last.samples + samples <= groupSamples) {
      groups[groups.length - 1] = { fromUs: last.fromUs, toUs: fromUs + hourUs, samples: last.samples + samples };
    } else {
      groups.push({ fromUs, toUs: fromUs + hourUs, samples });
    }
  }
  return groups;
}

/** Counts what `retainData` would roll up and drop. */
export async function planRetention(
  connection: DuckDBConnection,
  index: SeriesIndex,
  retention: Retention,
  nowUs: number,
): Promise<RetentionPlan> {
  const [kept, keptTexts] = [listKept(index, "numbers"), listKept(index, "texts")];
  const count = async (sql: string, beforeUs: number, series?: DuckDBListValue): Promise<number> => {
    const given = { before: BigInt(beforeUs), ...(series === undefined ? {} : { kept: series }) };
    const types = series === undefined ? {} : { kept: new DuckDBListType(INTEGER) };
    const [[found]] = (await connection.runAndReadAll(`SELECT count(*) ${sql}`, given, types)).getRowsJS();
    return Number(found);
  };
  const telemetry = "FROM numbers WHERE time_us < $before AND series_id NOT IN (SELECT unnest($kept))";
  const records = (table: string): string => `FROM ${table} WHERE time_us < $before AND series_id IN (SELECT unnest($kept))`;
  const recordsUs = findHorizonUs(retention.records, nowUs);
  return {
    samples: await count(telemetry, Number.MAX_SAFE_INTEGER, kept),
    samples_to_roll_up: await count(telemetry, findHorizonUs(retention.raw, nowUs), kept),
    hours_to_drop: await count("FROM hours WHERE time_us < $before", findHorizonUs(retention.hourly, nowUs)),
    records_to_drop: (await count(records("numbers"), recordsUs, kept)) + (await count(records("texts"), recordsUs, keptTexts)),
  };
}

/** Lists the series of which samples of a kind are kept as long as records. */
function listKept(index: SeriesIndex, kind: "numbers" | "texts"): DuckDBListValue {
  return new DuckDBListValue(
    index.byId.flatMap((series) => (series !== undefined && isKeptWhole(series, kind) ? [series.id] : [])),
  );
}

/** Drops what is older than so long, of the series that are kept whole or of all. */
async function dropOld(connection: DuckDBConnection, index: SeriesIndex, retention: Retention, nowUs: number): Promise<RolledUp> {
  let [recordsDropped, hoursDropped] = [0, 0];
  const before = { before: BigInt(findHorizonUs(retention.records, nowUs)) };
  for (const table of ["numbers", "texts"] as const) {
    const run = createRun(connection, { kept: listKept(index, table) });
    recordsDropped += await run(`DELETE FROM ${table} WHERE time_us < $before AND series_id IN (SELECT unnest($kept))`, before);
  }
  const run = createRun(connection, {});
  hoursDropped += await run("DELETE FROM hours WHERE time_us < $before", {
    before: BigInt(findHorizonUs(retention.hourly, nowUs)),
  });
  return { samples_rolled_up: 0, hours_dropped: hoursDropped, records_dropped: recordsDropped };
}

/**
 * Rolls up telemetry that is past its time, and drops hours and records that are past theirs. A sample is rolled up
 * once, when it goes, so that whatever came late until then is in. Interrupted, it goes on where it was the next
 * time.
 * @param stop interrupts what is under way
 */
export async function retainData(
  connection: DuckDBConnection,
  index: SeriesIndex,
  retention: Retention,
  nowUs: number,
  stop: AbortSignal,
): Promise<RolledUp> {
  stop.addEventListener("abort", () => connection.interrupt(), { once: true });
  // Hours may have been brought from elsewhere, of which a longer time is rolled up.
  const [[broughtUs]] = (await connection.runAndReadAll("SELECT max(time_us) FROM horizon")).getRowsJS();
  const horizonUs = Math.max(findHorizonUs(retention.raw, nowUs), Number(broughtUs));
  const kept = listKept(index, "numbers");
  const run = createRun(connection, { kept });
  let samples = 0;
  for (const group of await findGroups(connection, kept, horizonUs)) {
    stop.throwIfAborted();
    const range = { from: BigInt(group.fromUs), to: BigInt(group.toUs) };
    await commit(connection, async () => {
      await run(`CREATE TEMP TABLE rolled AS ${merged}`, range);
      await run("DELETE FROM hours WHERE (series_id, time_us) IN (SELECT (series_id, time_us) FROM rolled)", {});
      await run("INSERT INTO hours SELECT * FROM rolled", {});
      await run("DROP TABLE rolled", {});
      await run(
        "DELETE FROM numbers WHERE time_us >= $from AND time_us < $to AND series_id NOT IN (SELECT unnest($kept))",
        range,
      );
      await run("UPDATE horizon SET time_us = greatest(time_us, $to)", range);
    });
    samples += group.samples;
  }
  await commit(connection, async () => {
    const texts = createRun(connection, { kept: listKept(index, "texts") });
    await texts("DELETE FROM texts WHERE time_us < $to AND series_id NOT IN (SELECT unnest($kept))", { to: BigInt(horizonUs) });
    await run("UPDATE horizon SET time_us = greatest(time_us, $to)", { to: BigInt(horizonUs) });
  });
  const dropped = await dropOld(connection, index, retention, nowUs);
  await gatherBatches(connection, nowUs);
  return { ...dropped, samples_rolled_up: samples };
}
