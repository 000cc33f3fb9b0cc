import { addressSchema, byteSizeSchema, durationSchema } from "@fleetmark/shared/config";
import { isLoopback } from "@fleetmark/shared/units";
import { z } from "zod";

const listenSchema = addressSchema.refine(isLoopback, {
  message: "listening beyond this machine needs TLS, which is not available yet; use a loopback address such as 127.0.0.1:7420",
});

/** What the ingest takes in, and what it keeps of the rest. */
const limitsSchema = z.strictObject({
  max_batch_bytes: byteSizeSchema
    .describe("largest encoded batch that is stored; a larger one is rejected")
    .refine((bytes) => bytes >= 1024 && bytes <= 64 * 2 ** 20, { message: "must lie between 1KiB and 64MiB" })
    .prefault("4MiB"),
  time_ahead: durationSchema.describe("samples stamped further ahead of the collector's clock are refused").prefault("1h"),
  time_behind: durationSchema.describe("samples stamped further behind the collector's clock are refused").prefault("400d"),
  quarantine_bytes: byteSizeSchema.describe("size of the quarantine; the oldest batches leave it first").prefault("64MiB"),
});

/** The configuration of a collector. */
export const collectorConfigSchema = z.strictObject({
  data_dir: z.string().min(1).describe("directory of the data file and the quarantine").default("./fleetmark-data"),
  grpc: z
    .strictObject({
      listen: listenSchema.describe("address where agents attach; port 0 takes a free one").prefault("127.0.0.1:7420"),
    })
    .prefault({}),
  http: z
    .strictObject({
      listen: listenSchema.describe("address of the HTTP API; port 0 takes a free one").prefault("127.0.0.1:7421"),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(["silent", "fatal", "error", "warn", "info", "debug"])
        .describe("least severe event that is logged")
        .default("info"),
    })
    .prefault({}),
  limits: limitsSchema.prefault({}),
});

export type CollectorConfig = z.infer<typeof collectorConfigSchema>;
export type IngestLimits = CollectorConfig["limits"];
