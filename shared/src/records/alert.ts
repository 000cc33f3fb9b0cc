import { z } from "zod";
import { silenceMatchersSchema } from "../alerting/silence.js";
import { alertSeverities } from "../model/kpis.js";
import { defineRecord } from "./record-kind.js";

/** What collectors keep of alerts: every transition, silences, and what was told to whom. */

export const alertStates = ["pending", "firing", "resolved"] as const;

const timeUs = z.int().nonnegative().describe("microseconds since the Unix epoch");

/** A transition of an alert; the latest of an alert says how it stands. */
export const alertSchema = z.object({
  id: z.string().describe("names the alert for good: a digest of its name and labels"),
  alert: z.string().describe("its name, by the catalogue"),
  host: z.string().describe("the host that it is of; empty where it is of none"),
  time_us: timeUs,
  state: z.enum(alertStates),
  severity: z.enum(alertSeverities),
  labels: z.record(z.string(), z.string()),
  value: z.number(),
  threshold: z.number(),
  summary: z.string(),
  description: z.string().describe("the evidence, in words"),
  runbook: z.string(),
  since_us: timeUs.describe("when the breach began, microseconds since the Unix epoch"),
  begins_us: z.array(timeUs).describe("when it fired within a day, microseconds since the Unix epoch"),
});

export type AlertRecord = z.infer<typeof alertSchema>;

export const alertRecord = defineRecord({
  measurement: "alert",
  tags: ["id", "alert", "host"],
  identity: ["id"],
  textField: "state",
  jsonFields: ["labels", "begins_us"],
  origin: "derived",
  schema: alertSchema,
});

/** A silence; the latest of an id holds. One that was ended has its end in the past. */
export const silenceSchema = z.object({
  id: z.string(),
  time_us: timeUs.describe("when it was decided, microseconds since the Unix epoch"),
  matchers: silenceMatchersSchema.describe("globs of labels that an alert must match, all of them"),
  from_us: timeUs,
  until_us: timeUs,
  by: z.string(),
  reason: z.string(),
});

export type SilenceRecord = z.infer<typeof silenceSchema>;

export const silenceRecord = defineRecord({
  measurement: "silence",
  tags: ["id"],
  identity: ["id"],
  textField: "reason",
  jsonFields: ["matchers"],
  origin: "derived",
  schema: silenceSchema,
});

/** What was told of a group of alerts by one way, and has arrived there. */
export const notificationSchema = z.object({
  sink: z.string().describe("the name of the way"),
  group: z.string(),
  time_us: timeUs,
  by: z.string().describe("the collector that sent it"),
  title: z.string(),
  firing: z.array(z.string()).describe("ids of the alerts that fired"),
  resolved: z.array(z.string()),
});

export type NotificationRecord = z.infer<typeof notificationSchema>;

export const notificationRecord = defineRecord({
  measurement: "notification",
  tags: ["sink", "group"],
  identity: ["sink", "group"],
  textField: "title",
  jsonFields: ["firing", "resolved"],
  origin: "derived",
  schema: notificationSchema,
});
