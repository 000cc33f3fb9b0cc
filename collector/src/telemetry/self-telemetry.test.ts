import { checkSeries } from "@fleetmark/shared/model/series";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { pino } from "pino";
import { expect, it } from "vitest";
import { buildBatch, makeDirectory } from "../../test/support.js";
import { createWriter } from "../ingest/writer.js";
import { openStore } from "../store/duckdb/duckdb.js";
import { createMetrics } from "./metrics.js";
import { createSelfTelemetry } from "./self-telemetry.js";

const logger = pino({ level: "silent" });

it("tells what was committed, how long it took, and what was refused by reason", async () => {
  const store = await openStore(makeDirectory());
  const metrics = createMetrics();
  const writer = createWriter(store, metrics, logger);
  const sample = createSelfTelemetry("c1", metrics, false);
  const [before] = await sample(1);
  expect(before.fields).toMatchObject({ samples_committed: 0, queue_bytes: 0, store_failures: 0 });
  expect(before.fields).not.toHaveProperty("commit_p50_ms");
  expect(before.fields).not.toHaveProperty("nats_pending");
  const [withNats] = await createSelfTelemetry("c1", metrics, true)(1);
  expect(withNats.fields).toMatchObject({ nats_pending: 0, nats_ack_pending: 0, nats_redelivered: 0 });

  const timeUs = Date.now() * 1000 - 5e6;
  const batch = buildBatch(1, [{ measurement: "cpu", tags: {}, timeUs, fields: { a: 1, b: 2 } }]);
  await new Promise<void>((resolve) => writer.enqueue(batch, encodeBatch(batch).length, resolve));
  metrics.samplesRefused.inc({ code: "TIME_AHEAD" }, 3);
  metrics.batchesRejected.inc({ code: "BATCH_FOREIGN" });
  const [own, ...byReason] = await sample(2);
  expect(own).toMatchObject({ measurement: "collector", tags: { host: "c1" }, timeUs: 2 });
  expect(own.fields).toMatchObject({ samples_committed: 2, batches_committed: 1, rss_bytes: expect.any(Number) });
  expect(own.fields.commit_p50_ms).toBeGreaterThan(0);
  expect(own.fields.end_to_end_p99_s).toBeGreaterThan(4.8);
  expect(byReason.map(({ tags, fields }) => ({ ...tags, ...fields }))).toEqual([
    { host: "c1", reason: "TIME_AHEAD", samples_refused: 3 },
    { host: "c1", reason: "BATCH_FOREIGN", batches_rejected: 1 },
  ]);
  for (const { measurement, tags, fields } of [own, ...byReason]) {
    for (const field of Object.keys(fields)) checkSeries({ measurement, tags, field });
  }
  await writer.stop(1000);
  await store.close();
});
