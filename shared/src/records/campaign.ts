import { z } from "zod";
import { defineRecord } from "./record-kind.js";

/** How a campaign stands: it goes on until every host of it has come to an end, or it is called off. */
export const campaignStates = ["running", "ended", "cancelled"] as const;

/** What became of a campaign's run on one host. The first four go on; the others are the end. */
export const campaignHostStates = [
  "waiting",
  "asked",
  "taken",
  "yielded",
  "finished",
  "interrupted",
  "skipped",
  "refused",
  "away",
  "cancelled",
] as const;

export type CampaignHostState = (typeof campaignHostStates)[number];

const text = z.string();
const count = z.int().nonnegative();
const time = z.int().nonnegative();

/** What a campaign is to do. */
export const campaignOrderShape = {
  suite: text.min(1).max(200),
  benchmarks: z.array(text.min(1).max(500)).min(1).max(100).optional().describe("globs of benchmarks' full names; default: all"),
  hosts: z.array(text.min(1).max(255)).min(1).max(1000).describe("globs of hosts' names"),
  hw_class: text.min(1).max(255).describe("glob of hosts' hardware classes"),
  at_most: z.int().positive().optional().describe("how many hosts may be at it at a time; default: all"),
  at_most_percent: z
    .number()
    .positive()
    .max(100)
    .optional()
    .describe("the same as a share of the hosts that are meant; one host at least, and the lesser of both counts"),
  stagger_s: z.number().nonnegative().max(86_400).describe("seconds between the starts of two hosts"),
  ttl_s: z.number().min(1).max(86_400).describe("seconds for which a host that is away may come back and still be asked"),
  patience_s: z
    .number()
    .min(1)
    .max(30 * 86_400)
    .describe("seconds for which a host waits until it is free"),
  pause_while: z
    .array(text.min(1).max(200))
    .min(1)
    .max(20)
    .optional()
    .describe("globs of alerts' names: while one of them fires, no further host is asked"),
  at_once: z.boolean().describe("whether hosts begin though they are not free, where they allow that"),
} as const;

/** The same, as it is asked: what is left out has a default. */
export const campaignAskedShape = {
  ...campaignOrderShape,
  hosts: campaignOrderShape.hosts.default(["*"]),
  hw_class: campaignOrderShape.hw_class.default("*"),
  stagger_s: campaignOrderShape.stagger_s.default(0),
  ttl_s: campaignOrderShape.ttl_s.default(120),
  patience_s: campaignOrderShape.patience_s.default(3600),
  at_once: campaignOrderShape.at_once.default(false),
} as const;

export const campaignRecordSchema = z.object({
  ...campaignOrderShape,
  time_us: time,
  id: text,
  state: z.enum(campaignStates),
  asked_us: time.describe("when it was asked"),
  by: text.describe("who asked"),
  total: count.describe("hosts that it is for"),
  counts: z.record(z.string(), count).describe("hosts by what became of them"),
});

export type CampaignRecord = z.infer<typeof campaignRecordSchema>;

export const campaignRecord = defineRecord({
  measurement: "campaign",
  tags: ["suite"],
  identity: ["suite"],
  textField: "id",
  jsonFields: ["benchmarks", "hosts", "counts", "pause_while", "at_once"],
  origin: "derived",
  schema: campaignRecordSchema,
});
