import { constants } from "node:fs";
import { lstat, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Retention } from "./retention.js";

/**
 * What goes by the clock goes for good, so no clock is believed by its word alone. Before anything is rolled up or
 * dropped, the clock must agree with the hosts' clocks and with the night before; and no night takes more than eight
 * days' worth without being told to, be it that the clock was set, that the collector was away, or that a time in the
 * configuration was shortened.
 */

/** What is remembered from one night to the next, beside the data. */
export interface RetentionMemory {
  /** By the collector's clock when it last rolled up, microseconds since the Unix epoch. */
  readonly lastUs: number;
  /** How long things were kept then, seconds. */
  readonly keep: Retention;
  /** Since when it has been held, and why; null while it is not. */
  readonly held: { readonly sinceUs: number; readonly reason: string } | null;
}

/** What the clock is compared with. */
export interface ClockEvidence {
  /** In words, where most hosts contradict the clock. */
  readonly dispute: string | undefined;
  /** Hosts on other machines whose clocks agree with the collector's. */
  readonly agreeing: number;
  /** When a batch was last received before this process began, where the store knows. */
  readonly heardUs: number | undefined;
}

export type RetentionDecision = { readonly kind: "go" } | { readonly kind: "hold"; readonly reason: string };

const dayS = 86_400;
const dayUs = dayS * 1e6;
/** So far may the time before which things go move on in one night. */
const mostAdvanceS = 8 * dayS;
/** A clock that went on evenly for so long while it was held is taken for right: a person had that long to object. */
const patienceUs = 7 * dayUs;

const showDays = (seconds: number): string =>
  seconds === Number.POSITIVE_INFINITY ? "forever" : `${Math.round(seconds / dayS)}d`;

/** Says which time was shortened by more than a night may take. */
function findShortened(before: Retention, now: Retention): string | undefined {
  for (const key of ["raw", "hourly", "records"] as const) {
    // Of two without end the difference is no number.
    if (!(before[key] - now[key] > mostAdvanceS)) continue;
    return `store.retention.${key} was shortened from ${showDays(before[key])} to ${showDays(now[key])}`;
  }
  return undefined;
}

/** Decides whether what is past its time may go. */
export function decideRetention(
  nowUs: number,
  keep: Retention,
  memory: RetentionMemory | undefined,
  { dispute, agreeing, heardUs }: ClockEvidence,
): RetentionDecision {
  if (dispute !== undefined) return { kind: "hold", reason: dispute };
  const shortened = memory === undefined ? undefined : findShortened(memory.keep, keep);
  if (shortened !== undefined) return { kind: "hold", reason: `${shortened}: more would go than a night takes` };
  const before = memory?.lastUs ?? heardUs;
  if (before === undefined || nowUs - before <= mostAdvanceS * 1e6 || agreeing > 0) return { kind: "go" };
  if (memory?.held && nowUs - memory.held.sinceUs >= patienceUs) return { kind: "go" };
  const days = Math.round((nowUs - before) / dayUs);
  const what = memory === undefined ? "the newest data" : "the last roll-up";
  return { kind: "hold", reason: `the clock is ${days} days past ${what}, and no host on another machine confirms it` };
}

const seconds = z.number().nullable();
const memorySchema = z.object({
  last_us: z.number().int().nonnegative(),
  keep: z.object({ raw: seconds, hourly: seconds, records: seconds }),
  held: z.object({ since_us: z.number().int().nonnegative(), reason: z.string() }).nullable(),
});

const fileName = "retention.json";
/** Laid beside it by `fleetmark store retain --yes`: the next roll-up goes, whatever the evidence. */
const consentName = "retention.yes";

const toSeconds = (value: number | null): number => value ?? Number.POSITIVE_INFINITY;
const fromSeconds = (value: number): number | null => (value === Number.POSITIVE_INFINITY ? null : value);

/** Reads what was remembered; undefined where nothing was, or nothing that makes sense. */
export async function readRetentionMemory(dataDir: string): Promise<RetentionMemory | undefined> {
  const text = await readFile(join(dataDir, fileName), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { last_us, keep, held } = memorySchema.parse(JSON.parse(text));
    return {
      lastUs: last_us,
      keep: { raw: toSeconds(keep.raw), hourly: toSeconds(keep.hourly), records: toSeconds(keep.records) },
      held: held && { sinceUs: held.since_us, reason: held.reason },
    };
  } catch {
    return undefined;
  }
}

export async function writeRetentionMemory(dataDir: string, { lastUs, keep, held }: RetentionMemory): Promise<void> {
  const { raw, hourly, records } = keep;
  const kept = { raw: fromSeconds(raw), hourly: fromSeconds(hourly), records: fromSeconds(records) };
  const memory = { last_us: lastUs, keep: kept, held: held && { since_us: held.sinceUs, reason: held.reason } };
  const growing = join(dataDir, `${fileName}.new`);
  await writeFile(growing, `${JSON.stringify(memory)}\n`, { mode: 0o600 });
  await rename(growing, join(dataDir, fileName));
}

/** Lays down that the next roll-up may go. */
export async function giveConsent(dataDir: string): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  await (await open(join(dataDir, consentName), flags, 0o600)).close();
}

/** A consent that lay there for longer was for something else. Milliseconds. */
const consentLastsMs = 600_000;

/** Takes the consent away where it lies. Returns whether there was one that still counts. */
export async function takeConsent(dataDir: string): Promise<boolean> {
  const path = join(dataDir, consentName);
  try {
    const { mtimeMs } = await lstat(path);
    await rm(path);
    return Math.abs(Date.now() - mtimeMs) < consentLastsMs;
  } catch {
    return false;
  }
}
