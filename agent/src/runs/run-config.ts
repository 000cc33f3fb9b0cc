import { durationSchema } from "@fleetmark/shared/config/config";
import { checkRecurrence, recurrenceFields, refuseSameNames } from "@fleetmark/shared/schedule/recurrence-schema";
import { z } from "zod";
import { slurmCgroups } from "../idle/cgroups.js";

/** When an agent runs suites, and when it doesn't: the keys below `run`. Durations are seconds after parsing. */

const scheduleSchema = z
  .strictObject({
    name: z.string().min(1).max(100).optional().describe("what the schedule is called; default: its suite's name"),
    suite: z.string().min(1).max(200).describe("the suite that runs"),
    ...recurrenceFields,
    jitter: durationSchema
      .refine((seconds) => seconds <= 86_400, "must be at most 1d")
      .prefault("30m")
      .describe("the hosts of a fleet start spread over so long, each always at its own place in it"),
    missed: z
      .enum(["once", "skip"])
      .default("once")
      .describe("starts that passed while no agent ran: the latest is made up for, or none"),
  })
  .superRefine(checkRecurrence)
  .transform(({ name, time_zone, ...rest }) => ({ ...rest, name: name ?? rest.suite, timeZone: time_zone }));

const blackoutSchema = z
  .strictObject({
    ...recurrenceFields,
    lasts: durationSchema.refine((seconds) => seconds > 0 && seconds <= 7 * 86_400, "must be at most 7d").describe("how long"),
  })
  .superRefine(checkRecurrence)
  .transform(({ time_zone, ...rest }) => ({ ...rest, timeZone: time_zone }));

const percent = z.number().min(0).max(100);

/** By what a host's own work is known. */
const idleSchema = z.strictObject({
  patience: durationSchema
    .refine((seconds) => seconds <= 30 * 86_400, "must be at most 30d")
    .prefault("6h")
    .describe("how long a run waits until the host is free; then it is skipped, which is recorded"),
  settle: durationSchema.prefault("10s").describe("how long the host must have been free before a run begins"),
  other_cpu_cores: z
    .number()
    .min(0)
    .max(10_000)
    .default(0.5)
    .describe("cores' worth of CPU that the host's other processes may take"),
  cpu_pressure_percent: percent.default(20).describe("share of time in which processes may wait for a CPU before a run begins"),
  memory_pressure_percent: percent
    .default(5)
    .describe("share of time in which processes may wait for memory before a run begins"),
  available_memory_percent: percent.default(10).describe("share of the memory that must be available"),
  gpu_utilization_percent: percent
    .default(10)
    .describe("how busy a GPU may be before a run begins; with a process on it the host is not free"),
  unless_files: z
    .array(z.string().startsWith("/", "must be a whole path, such as /run/lock/training"))
    .default([])
    .describe("files, such as locks, whose being there means work"),
  unless_cgroups: z
    .array(z.string().min(1).max(500))
    .default([...slurmCgroups])
    .describe("control groups below /sys/fs/cgroup whose being there means work, * and ? for characters of one name"),
  command: z
    .array(z.string())
    .default([])
    .describe("a program and its arguments, asked every 10 s, that ends with exit code 0 where the host is free"),
});

export const runSchema = z.strictObject({
  on_start: z.string().default("none").describe("suite that runs once when the agent starts, or none"),
  schedule: z
    .array(scheduleSchema)
    .superRefine(refuseSameNames("schedules"))
    .prefault([])
    .describe("suites that run again and again, when the host is free; in variables and flags as JSON"),
  blackouts: z
    .array(blackoutSchema)
    .prefault([])
    .describe("windows that recur, in which nothing scheduled or commanded runs; in variables and flags as JSON"),
  at_most: durationSchema
    .refine((seconds) => seconds >= 1, "must be at least 1s")
    .prefault("4h")
    .describe("a run that takes longer is ended, and keeps what it measured"),
  idle: idleSchema.prefault({}),
});

export type RunConfig = z.infer<typeof runSchema>;

/** What `fleetmark up` and the packages run unless they are told otherwise, as it stands in a file. */
export const usualSchedule = [
  { name: "daily", suite: "quick", cron: "30 2 * * *", jitter: "1h" },
  { name: "weekly", suite: "full", cron: "30 4 * * SUN", jitter: "2h" },
] as const;
