import { FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import { z } from "zod";
import { processedUnits } from "../workloads/workload.js";
import type { Job } from "./executor.js";

/*
 * What a command and we tell each other, one JSON object a line, as docs/command-protocol.md says it to those who
 * write commands:
 *
 *   we ──► job          once, on its stdin, which stays open until it has told all
 *   it ──► ready        once, when it is prepared: from here on it is timed and watched
 *          sample(s)    seconds per iteration, as it measured them itself
 *          done         once, after at least one sample; or `failed`, at any time
 *
 * Here is what is pure of it: lines out of text, messages out of lines, and which message may follow which.
 */

export const protocolVersion = 1;

/** Longest line that is read, in characters: room for as many samples as are ever asked for. */
export const longestLine = 1 << 20;

/** So much of a line that can't be understood goes into the error. */
const quotedLength = 200;

const seconds = z.number().positive();
const label = z.string().min(1).max(200);

const readySchema = z.object({
  type: z.literal("ready"),
  device: z.string().regex(/^[a-z0-9][a-z0-9._:-]{0,63}$/i, "a device is a word such as cpu or gpu"),
  runtime: label.optional(),
  version: label.optional(),
  kind: z.enum(["repeat", "first-call"]).optional(),
});
const doneSchema = z.object({
  type: z.literal("done"),
  processed: z.object({ unit: z.enum(processedUnits), per_iteration: z.number().positive() }).default({
    unit: "calls",
    per_iteration: 1,
  }),
  iterations_per_sample: z.int().positive().default(1),
  metadata: z.record(z.string().max(100), z.union([z.string().max(1000), z.number(), z.boolean(), z.null()])).default({}),
  checksum: z.number().default(0),
});
const messageSchema = z.discriminatedUnion("type", [
  readySchema,
  z.object({ type: z.literal("sample"), seconds }),
  z.object({ type: z.literal("samples"), seconds: z.array(seconds).min(1) }),
  doneSchema,
  z.object({ type: z.literal("failed"), code: z.string().max(100).optional(), message: z.string().max(10_000) }),
]);
const knownTypes: ReadonlySet<unknown> = new Set(messageSchema.options.map((option) => option.shape.type.value));

export type CommandMessage = z.infer<typeof messageSchema>;
export type Ready = z.infer<typeof readySchema>;
export type Done = z.infer<typeof doneSchema>;

/** Returns the line that tells a command what to do. */
export function encodeJob({ benchmark, seed, samples, fewestSamples, limitS }: Job): string {
  const job = {
    type: "job",
    protocol: protocolVersion,
    benchmark: benchmark.workload,
    params: benchmark.params,
    seed,
    samples,
    fewest_samples: fewestSamples,
    limit_s: limitS,
  };
  return `${JSON.stringify(job)}\n`;
}

function refuse(what: string, line?: string): never {
  const quoted =
    line === undefined ? "" : `: ${JSON.stringify(line.slice(0, quotedLength))}${line.length > quotedLength ? "…" : ""}`;
  throw new FleetmarkError("BENCHMARK_FAILED", `the command ${what}${quoted}`);
}

/** Text of which a line has not ended yet. */
export interface LineBuffer {
  rest: string;
}

/**
 * Appends text, and returns the lines that are whole now, without their ends.
 * @throws FleetmarkError BENCHMARK_FAILED when a line is longer than any that is read
 */
export function splitLines(buffer: LineBuffer, text: string): string[] {
  const lines = (buffer.rest + text).split("\n");
  buffer.rest = lines.pop() ?? "";
  const tooLong = [...lines, buffer.rest].find((line) => line.length > longestLine);
  if (tooLong !== undefined) refuse(`sent a line of more than ${longestLine} characters`, tooLong);
  return lines;
}

/**
 * Reads a line. Of a type that is not known here nothing is made: a later version may tell more. Nor of an empty line.
 * @throws FleetmarkError BENCHMARK_FAILED that quotes a line which is no message
 */
export function decodeLine(line: string): CommandMessage | undefined {
  if (line.trim() === "") return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    refuse("sent a line that is not JSON", line);
  }
  const type = typeof parsed === "object" && parsed !== null && "type" in parsed ? parsed.type : undefined;
  if (typeof type !== "string") refuse("sent a line that is not an object with a type", line);
  if (!knownTypes.has(type)) return undefined;
  const message = messageSchema.safeParse(parsed);
  if (message.success) return message.data;
  const [issue] = message.error.issues;
  return refuse(`sent a ${type} whose ${issue.path.join(".")} is wrong (${issue.message})`, line);
}

/** What a command has told so far. */
export interface Account {
  ready: Ready | undefined;
  readonly seconds: number[];
  done: Done | undefined;
}

export function createAccount(): Account {
  return { ready: undefined, seconds: [], done: undefined };
}

/**
 * Adds a message to what a command has told.
 * @param most samples that were asked for
 * @throws FleetmarkError with what the command said of its failure; BENCHMARK_FAILED for a message that may not come
 * now
 */
export function addMessage(account: Account, message: CommandMessage, most: number): void {
  if (message.type === "failed") {
    throw new FleetmarkError(isErrorCode(message.code) ? message.code : "BENCHMARK_FAILED", message.message);
  }
  if (message.type === "ready") {
    if (account.ready !== undefined) refuse("sent ready twice");
    account.ready = message;
    return;
  }
  if (account.ready === undefined) refuse(`sent a ${message.type} before ready`);
  if (message.type === "done") {
    if (account.seconds.length === 0) refuse("was done without a sample");
    account.done = message;
    return;
  }
  const added = message.type === "sample" ? [message.seconds] : message.seconds;
  // Once a process is what a first call is.
  if (account.ready.kind === "first-call" && account.seconds.length + added.length > 1)
    refuse("sent more than the one sample of a first call");
  if (account.seconds.length + added.length > most) refuse(`sent more samples than the ${most} asked for`);
  account.seconds.push(...added);
}
