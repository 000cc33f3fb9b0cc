import { hostname } from "node:os";
import { addressSchema, byteSizeSchema, durationSchema } from "@fleetmark/shared/config/config";
import { tlsFilesSchema, tlsIdentitySchema } from "@fleetmark/shared/config/tls";
import { logFormats } from "@fleetmark/shared/log";
import { kpiRulesSchema } from "@fleetmark/shared/model/kpi-rules";
import { isLoopback, isLoopbackUrl } from "@fleetmark/shared/model/units";
import { checkNatsConfig, natsFields } from "@fleetmark/shared/nats/config";
import { campaignAskedShape } from "@fleetmark/shared/records/campaign";
import { checkRecurrence, recurrenceFields, refuseSameNames } from "@fleetmark/shared/schedule/recurrence-schema";
import { z } from "zod";
import { alertFields } from "./alerts/config.js";
import type { GrpcIngestConfig } from "./ingest/grpc/server.js";
import type { IngestLimits } from "./ingest/limits.js";
import type { NatsIngestConfig } from "./ingest/nats/ingest.js";
import type { StoreConfig } from "./store/engines/registry.js";
import type { Retention } from "./store/retention.js";

/** Where people and programs ask. Beyond this machine it speaks TLS, and who reads shows a token too. */
const httpSchema = z
  .strictObject({
    listen: addressSchema.describe("address of the HTTP API; port 0 takes a free one").prefault("127.0.0.1:7421"),
    tls: tlsIdentitySchema,
    allowed_hosts: z
      .array(z.string().regex(/^[A-Za-z0-9._-]+$/, "must be a name such as fleetmark.example, without a port"))
      .describe("without TLS: names beside localhost by which requests may come, those under which a proxy hands them on")
      .default([]),
    probes: z
      .strictObject({
        listen: addressSchema
          .describe("address, also beyond this machine, of /healthz, /readyz and /metrics alone; none unless set")
          .optional(),
      })
      .prefault({}),
  })
  .refine(({ listen, tls }) => isLoopback(listen) || tls.cert_file !== undefined, {
    path: ["listen"],
    message:
      "listening beyond this machine needs TLS: set http.tls.cert_file and key_file (docs/security.md shows how), or use a loopback address such as 127.0.0.1:7421",
  });

/** Where agents attach. Beyond this machine every agent must prove its name. */
const grpcSchema = z
  .strictObject({
    listen: addressSchema.describe("address where agents attach; port 0 takes a free one").prefault("127.0.0.1:7420"),
    tls: tlsFilesSchema,
  })
  .refine(({ tls }) => tls.ca_file === undefined || tls.cert_file !== undefined, {
    path: ["tls", "cert_file"],
    message: "is needed with ca_file: the collector's own certificate",
  })
  .refine(({ listen, tls }) => isLoopback(listen) || (tls.ca_file !== undefined && tls.cert_file !== undefined), {
    path: ["listen"],
    message:
      "listening beyond this machine needs TLS with client certificates: set grpc.tls.ca_file, cert_file and key_file (docs/security.md shows how), or use a loopback address such as 127.0.0.1:7420",
  });

/** What the ingest takes in, and what it keeps of the rest. */
const limitsSchema = z.strictObject({
  max_batch_bytes: byteSizeSchema
    .describe("largest encoded batch that is stored; a larger one is rejected")
    .refine((bytes) => bytes >= 1024 && bytes <= 64 * 2 ** 20, { message: "must lie between 1KiB and 64MiB" })
    .prefault("4MiB"),
  time_ahead: durationSchema.describe("samples stamped further ahead of the collector's clock are refused").prefault("1h"),
  time_behind: durationSchema.describe("samples stamped further behind the collector's clock are refused").prefault("400d"),
  max_series_per_batch: z.int().min(1).describe("most series of one batch; one with more is rejected").default(10_000),
  max_samples_per_batch: z
    .int()
    .min(1)
    .describe("most samples of one batch, an agent's own have some ten thousand; one with more is rejected")
    .default(100_000),
  new_series_per_host_per_hour: z
    .int()
    .min(1)
    .describe("most series of a host that may be new in one hour; samples of others are refused, known series go on")
    .default(20_000),
  max_series_per_host: z
    .int()
    .min(1)
    .describe("most series of a host in the store; samples of further ones are refused, known series go on")
    .default(100_000),
  max_hosts: z.int().min(1).describe("most hosts that are heard of within an hour; others are refused meanwhile").default(20_000),
  bytes_per_second_per_host: byteSizeSchema
    .describe("bytes that a host may send in a second, ten seconds' worth at once; beyond it, it is read more slowly")
    .refine((bytes) => bytes >= 65_536, { message: "must be at least 64KiB" })
    .prefault("16MiB"),
  connections_per_address: z
    .int()
    .min(1)
    .describe("most connections of one address to the gRPC port; of this machine without TLS there is no bound")
    .default(4096),
  quarantine_bytes: byteSizeSchema.describe("size of the quarantine; the oldest batches leave it first").prefault("64MiB"),
});

function isSafeUrl(url: string): boolean {
  return url.startsWith("https:") || isLoopbackUrl(url);
}

/** How long something is kept: a duration, or `forever`. Seconds after parsing, without end for ever. */
const keepSchema = z
  .union([z.string(), z.number()])
  .transform((value, context) => {
    if (value === "forever") return Number.POSITIVE_INFINITY;
    const parsed = durationSchema.safeParse(value);
    if (parsed.success) return parsed.data;
    context.addIssue({ code: "custom", message: `${JSON.stringify(value)} is not a duration such as 30d, nor forever` });
    return z.NEVER;
  })
  .meta({ format: "duration" });

const dayS = 86_400;

/**
 * How long a store keeps what it holds. The nightly roll-up must have seen what goes, so nothing goes within four
 * days.
 */
const retentionSchema = z
  .strictObject({
    raw: keepSchema.describe("telemetry as it was measured").prefault("30d"),
    hourly: keepSchema.describe("telemetry rolled up by hour, once the samples themselves are gone").prefault("400d"),
    records: keepSchema.describe("results, runs, KPIs, verdicts and alerts, whole").prefault("forever"),
  })
  .refine(({ raw }) => raw >= 4 * dayS, { path: ["raw"], message: "must be at least 4d" })
  .refine(({ raw, hourly }) => hourly >= raw, { path: ["hourly"], message: "must not be shorter than store.retention.raw" })
  .refine(({ raw, records }) => records >= raw, {
    path: ["records"],
    message: "must not be shorter than store.retention.raw",
  }) satisfies z.ZodType<Retention>;

/** Where what agents measure is kept. */
const storeSchema = z
  .strictObject({
    kind: z.enum(["duckdb", "influxdb"]).describe("duckdb: a file in data_dir; influxdb: a server").default("duckdb"),
    url: z
      .url({ protocol: /^https?$/, message: "must be a URL such as http://127.0.0.1:8086" })
      .describe("influxdb: address of the server")
      .optional(),
    database: z.string().min(1).describe("influxdb: the database (1.x) or bucket (2.x, 3.x)").default("fleetmark"),
    org: z.string().describe("influxdb: the organisation (2.x, Cloud); empty for 1.x and 3.x").default(""),
    token_file: z
      .string()
      .min(1)
      .describe("influxdb: file that holds the API token (2.x, 3.x) or user:password (1.x); without one none is sent")
      .optional(),
    timeout: durationSchema.describe("influxdb: after which a request has failed").prefault("10s"),
    retention: retentionSchema.prefault({}),
    insecure: z.stringbool().or(z.boolean()).describe("influxdb: allow http:// to another machine").default(false),
  })
  .refine(({ kind, url }) => kind !== "influxdb" || url !== undefined, {
    path: ["url"],
    message: "is needed for influxdb, such as http://127.0.0.1:8086",
  })
  .refine(({ url, insecure }) => url === undefined || insecure || isSafeUrl(url), {
    path: ["url"],
    message: "sends what is measured, and the token, in the clear to another machine: use https://, or set store.insecure",
  })
  // Keys are flat in files, variables and flags; what is not the chosen store's own goes here.
  .transform(({ kind, url, database, org, token_file, timeout, retention }): StoreConfig => {
    if (kind === "influxdb" && url !== undefined) return { kind, url, database, org, token_file, timeout, retention };
    return { kind: "duckdb", database, retention };
  });

/** What the collector makes on a NATS server, unless it is there. */
const natsStreamSchema = z.strictObject({
  replicas: z.int().min(1).max(5).describe("servers of the cluster that hold each batch: 3 survives the loss of one").default(1),
  max_bytes: byteSizeSchema
    .refine((bytes) => bytes >= 2 ** 20, "must be at least 1MiB")
    .describe("size of the batches that wait in NATS; beyond it they wait with the agents")
    .prefault("4GiB"),
  max_batches_per_host: z
    .int()
    .refine((batches) => batches === 0 || batches >= 64, "must be at least 64, what an agent sends at once, or 0 for no bound")
    .describe("batches of one host that wait in NATS; beyond it they wait with their agent")
    .default(256),
  max_age: durationSchema
    .refine((seconds) => seconds === 0 || seconds >= 120, "must be at least 2m, or 0 for no bound")
    .describe("batches that waited in NATS for longer leave it, and their agents send them again")
    .prefault("7d"),
  storage: z.enum(["file", "memory"]).describe("where the server keeps them").default("file"),
});

const natsSchema = z
  .strictObject({ ...natsFields, stream: natsStreamSchema.prefault({}) })
  .superRefine(checkNatsConfig)
  .prefault({});

const campaignSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/, "holds up to 64 letters, digits, . _ and -")
      .describe("what its runs are known by, with the time that each is due"),
    ...recurrenceFields,
    ...campaignAskedShape,
  })
  .superRefine(checkRecurrence)
  .transform(({ name, cron, time_zone, ...order }) => ({ name, cron, timeZone: time_zone, order }));

/** How people are told of alerts, and who else tells which fire, for what must not be done beside them. */
const alertsSchema = z
  .strictObject({
    alertmanager: z
      .url({ protocol: /^https?$/, message: "must be a URL such as http://127.0.0.1:9093" })
      .describe("an Alertmanager's address, or Grafana's with /api/alertmanager/grafana, where campaigns read which alerts fire")
      .optional(),
    token_file: z.string().min(1).describe("file that holds a token for it, sent as Authorization: Bearer").optional(),
    insecure: z.stringbool().or(z.boolean()).describe("allow http:// to another machine").default(false),
    ...alertFields,
  })
  .refine(({ alertmanager, insecure }) => alertmanager === undefined || insecure || isSafeUrl(alertmanager), {
    path: ["alertmanager"],
    message: "is asked, and the token sent, in the clear on another machine: use https://, or set alerts.insecure",
  });

/** How results are judged against those of before. */
const judgeSchema = z.strictObject({
  false_alarms_per_year: z
    .number()
    .positive()
    .max(365)
    .describe("how often a benchmark of a host that did not change may be called slower, in a year")
    .default(1),
});

/** The configuration of a collector. */
export const collectorConfigSchema = z.strictObject({
  name: z
    .string()
    .max(255)
    .regex(/^[^\p{Cc}]*$/u, "a name holds no control characters")
    .transform((name) => (name === "" ? hostname() : name))
    .prefault("")
    .describe("name of this collector in what it stores of itself; empty: its hostname"),
  data_dir: z.string().min(1).describe("directory of the data file and the quarantine").default("./fleetmark-data"),
  grpc: grpcSchema.prefault({}),
  nats: natsSchema.describe("with servers, agents reach this collector over NATS JetStream too"),
  http: httpSchema.prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(["silent", "fatal", "error", "warn", "info", "debug"])
        .describe("least severe event that is logged")
        .default("info"),
      format: z
        .enum(logFormats)
        .describe("json: lines for programs; text: for people; auto: text on a terminal, json elsewhere")
        .default("auto"),
    })
    .prefault({}),
  campaigns: z
    .array(campaignSchema)
    .superRefine(refuseSameNames("campaigns"))
    .prefault([])
    .describe("suites that hosts of the fleet are asked to run again and again; in variables and flags as JSON"),
  kpis: kpiRulesSchema
    .prefault([])
    .describe("other thresholds of KPIs, and KPIs of your own (docs/judgement.md); in variables and flags as JSON"),
  alerts: alertsSchema.prefault({}),
  judge: judgeSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  store: storeSchema.prefault({}),
});

export type CollectorConfig = z.infer<typeof collectorConfigSchema>;

/**
 * What the parts ask of their section. The parts declare it themselves, and this fails to compile where a section
 * lacks some of it.
 */
interface Sections {
  readonly limits: IngestLimits;
  readonly grpc: GrpcIngestConfig;
  readonly nats: NatsIngestConfig;
}

collectorConfigSchema satisfies z.ZodType<Sections>;
