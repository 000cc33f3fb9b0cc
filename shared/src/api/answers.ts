import { z } from "zod";
import { agedKpiSchema } from "../judgement/freshness.js";
import { aggregates } from "../model/aggregates.js";
import { alertSeverities } from "../model/kpis.js";
import { outlookSchema, progressSchema } from "../model/progress.js";
import { resultSchema, runSchema } from "../model/result.js";
import { alertStates, silenceSchema } from "../records/alert.js";
import { baselineSchema } from "../records/baseline.js";
import { campaignHostStates, campaignOrderShape, campaignStates } from "../records/campaign.js";
import { verdictSchema } from "../records/verdict.js";
import { verdictMarkSchema } from "../records/verdict-mark.js";

/**
 * The shapes of what the HTTP API answers. The collector's serializers and the API's documentation are made from
 * them, and whoever asks, the command line as the page, checks answers by them.
 */

const timeUs = z.int().nonnegative().describe("microseconds since the Unix epoch");
const count = z.int().nonnegative();
const tags = z.record(z.string(), z.string());

export const errorAnswer = z.object({
  code: z.string().describe("a code of the error catalogue"),
  message: z.string().describe("what happened"),
  remedy: z.string().describe("what to do"),
});

export const healthAnswer = z.object({ status: z.literal("ok") });

export const readyAnswer = z.object({
  status: z.literal("ready"),
  troubles: z.array(z.string()).describe("what is not as it should be while batches are committed all the same"),
});
export const notReadyAnswer = z.object({ status: z.literal("not_ready"), reason: z.string() });

export const hostsAnswer = z.array(
  z.object({
    host: z.string(),
    version: z.string().describe("version of its agent"),
    hw_class: z.string().describe("hardware class"),
    inventory: z.record(z.string(), z.unknown()).describe("what the host is made of"),
    last_seen_us: timeUs.describe("when its agent was last heard of, microseconds since the Unix epoch"),
    attached: z.boolean(),
    attached_since_us: timeUs.nullable(),
    progress: progressSchema.nullable().describe("the run under way"),
    outlook: outlookSchema.nullable().describe("what it is to run next; null where it has not told"),
    batches_received: count.describe("since the collector began"),
    batches_rejected: count.describe("since the collector began"),
    samples_refused: count.describe("since the collector began"),
  }),
);

export const runsAnswer = z.array(runSchema);
export const resultsAnswer = z.array(resultSchema);

export const kpisAnswer = z.array(
  z.object({
    host: z.string(),
    hw_class: z.string(),
    run: z.string().nullable().describe("the run that was asked for; null for the latest result of each benchmark"),
    kpis: z.array(agedKpiSchema),
  }),
);

export const seriesAnswer = z.object({
  measurement: z.string(),
  field: z.string(),
  from_us: timeUs,
  to_us: timeUs,
  bucket_us: z.int().positive(),
  aggregate: z.enum(aggregates),
  series: z.array(
    z.object({
      tags,
      points: z
        .array(z.array(z.number()).length(2))
        .describe("start of the bucket in microseconds, and aggregate of its samples; empty buckets are left out"),
    }),
  ),
});

export const seriesNamesAnswer = z.array(z.object({ measurement: z.string(), field: z.string(), tags }));

export const verdictsAnswer = z.array(verdictSchema);
/** What fires, waits to fire, or was resolved of late. */
export const alertsAnswer = z.array(
  z.object({
    id: z.string(),
    alert: z.string().describe("its name"),
    state: z.enum(alertStates),
    severity: z.enum(alertSeverities),
    labels: tags,
    summary: z.string(),
    description: z.string(),
    runbook: z.string().describe("a page of docs/runbooks, without .md; empty where there is none"),
    value: z.number(),
    threshold: z.number(),
    since_us: timeUs,
    resolved_us: timeUs.optional(),
    muted: z
      .string()
      .describe("why nobody is told of it: silenced, or the name of the alert that mutes it; empty where people are"),
  }),
);

export const silenceAnswer = silenceSchema;
export const silencesAnswer = z.array(silenceSchema);

export const testedSinksAnswer = z.array(
  z.object({
    sink: z.string(),
    place: z.string(),
    failure: z.string().describe("why the message was not taken; empty where it was"),
  }),
);

export const verdictMarksAnswer = z.array(verdictMarkSchema);
export const baselinesAnswer = z.array(baselineSchema);

/** A campaign, with what became of it on each host. */
export const campaignAnswer = z.object({
  ...campaignOrderShape,
  id: z.string(),
  state: z.enum(campaignStates),
  paused: z.string().describe("why no further host is asked at the moment; empty where nothing holds it up"),
  asked_us: timeUs,
  by: z.string(),
  total: count,
  counts: z.record(z.string(), count).describe("hosts by what became of them"),
  on_hosts: z.array(
    z.object({
      host: z.string(),
      state: z.enum(campaignHostStates),
      run: z.string().describe("id of the run that came of it; empty while there is none"),
      reason: z.string(),
      since_us: timeUs,
    }),
  ),
});

export const campaignsAnswer = z.array(campaignAnswer.omit({ on_hosts: true }));

/** What became of a command to a host. */
export const commandAnswer = z.object({
  host: z.string(),
  done: z.boolean(),
  code: z.string().describe("a code of the error catalogue; empty when done"),
  message: z.string(),
  result: z.record(z.string(), z.unknown()),
});
