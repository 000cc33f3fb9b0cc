import { hostname } from "node:os";
import { addressSchema, byteSizeSchema, durationSchema, findNearest, loadConfig } from "@fleetmark/shared/config/config";
import { tlsFilesSchema } from "@fleetmark/shared/config/tls";
import { logFormats } from "@fleetmark/shared/log";
import { isLoopback } from "@fleetmark/shared/model/units";
import { checkNatsConfig, natsFields } from "@fleetmark/shared/nats/config";
import { z } from "zod";
import { commandNames } from "./commands/command-registry.js";
import { probeNames } from "./probes/registry.js";
import { runSchema } from "./runs/run-config.js";

export { usualSchedule } from "./runs/run-config.js";

/** Where the collector is. To another machine nothing goes in the clear. */
const collectorSchema = z
  .strictObject({
    address: addressSchema.prefault("127.0.0.1:7420").describe("where the collector's gRPC port is"),
    tls: tlsFilesSchema,
  })
  .refine(({ address, tls }) => isLoopback(address) || tls.ca_file !== undefined || tls.cert_file !== undefined, {
    path: ["address"],
    message:
      "another machine is reached by TLS alone: set collector.tls.ca_file, cert_file and key_file (docs/security.md shows how), or use a loopback address",
  });

const printable = /^[^\p{Cc}]*$/u;

const intervalSchema = durationSchema.refine((seconds) => seconds >= 0.1 && seconds <= 86_400, "must be between 100ms and 1d");

/** A key a probe: `telemetry.intervals: {disk: 1m}`. */
const intervalFields = Object.fromEntries(
  probeNames.map((name) => [
    name,
    intervalSchema.optional().describe(`time between two samples of the probe ${name}, if not telemetry.interval`),
  ]),
);

function explainProbe(input: unknown): string {
  const nearest = findNearest(String(input), probeNames);
  const hint = nearest === undefined ? `the probes are ${probeNames.join(", ")}` : `did you mean ${nearest}?`;
  return `there is no probe ${JSON.stringify(input)}; ${hint}`;
}

/** The agent's configuration. Durations are seconds and sizes bytes after parsing. */
export const agentConfigSchema = z
  .strictObject({
    host: z
      .string()
      .max(255)
      .regex(printable, "a host name holds no control characters")
      .transform((name) => (name === "" ? hostname() : name))
      .prefault("")
      .describe("name of this host in the fleet; empty: its hostname"),
    link: z
      .enum(["grpc", "nats"])
      .default("grpc")
      .describe("way to the collectors: grpc, to collector.address; nats, through the servers of nats.servers"),
    collector: collectorSchema.prefault({}),
    nats: z.strictObject(natsFields).superRefine(checkNatsConfig).prefault({}),
    telemetry: z
      .strictObject({
        interval: intervalSchema.prefault("10s").describe("time between two samples of the host"),
        intervals: z.strictObject(intervalFields).prefault({}),
        probes: z
          .array(z.enum(probeNames, { error: ({ input }) => explainProbe(input) }))
          .default([...probeNames])
          .describe("which probes sample the host"),
      })
      .prefault({}),
    run: runSchema.prefault({}),
    commands: z
      .strictObject({
        allow: z
          .array(z.enum(commandNames))
          .default([...commandNames])
          .describe("what collectors may ask of this host; none: an empty list"),
        suites: z
          .array(z.string().min(1))
          .default(["*"])
          .describe("suites that they may ask for, of those that this host knows; * for all"),
        at_once: z
          .stringbool()
          .or(z.boolean())
          .describe("whether they may have a suite run though the host is not free for it")
          .prefault(false),
      })
      .prefault({}),
    suites: z
      .array(z.string().min(1, "must name a file"))
      .default([])
      .describe("files of suites of your own (docs/own-benchmarks.md); relative paths are relative to this file")
      .meta({ relativeTo: "file" }),
    spool: z
      .strictObject({
        dir: z
          .string()
          .min(1)
          .prefault("./fleetmark-data/spool")
          .describe("folder for batches that the collector has not acknowledged; one agent a folder"),
        max_bytes: byteSizeSchema
          .refine((bytes) => bytes >= 65_536, "must be at least 64KiB")
          .prefault("256MiB")
          .describe("bound of the batches in the spool; when full, the oldest telemetry goes first and results last"),
        max_age: durationSchema
          .refine((seconds) => seconds >= 60, "must be at least 1m")
          .prefault("30d")
          .describe("batches that have waited for longer are dropped"),
        resend_rate: byteSizeSchema
          .refine((bytes) => bytes >= 1024, "must be at least 1KiB")
          .prefault("256KiB")
          .describe("bytes per second at which what had to wait is sent, beside what is new"),
        flush_interval: durationSchema
          .refine((seconds) => seconds >= 0.01 && seconds <= 600, "must be between 10ms and 10m")
          .prefault("1s")
          .describe("longest time that a telemetry sample waits for others to share its batch"),
      })
      .prefault({}),
    log: z
      .strictObject({
        level: z
          .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
          .default("info")
          .describe("least level of the events that are logged"),
        format: z
          .enum(logFormats)
          .default("auto")
          .describe("json: lines for programs; text: for people; auto: text on a terminal, json elsewhere"),
      })
      .prefault({}),
  })
  .refine(({ link, nats }) => link !== "nats" || nats.servers.length > 0, {
    path: ["nats", "servers"],
    message: "is needed with link: nats, such as [tls://nats.example:4222]",
  });

/**
 * Reads an agent's configuration, as the agent itself does: from a file, if one is named, and the environment.
 * @throws FleetmarkError CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function readAgentConfig(file?: string): AgentConfig {
  return loadConfig(agentConfigSchema, { environment: process.env, flags: {}, ...(file === undefined ? {} : { file }) });
}

export type AgentConfig = z.infer<typeof agentConfigSchema>;
