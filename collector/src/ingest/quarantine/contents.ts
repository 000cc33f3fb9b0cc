import { constants } from "node:fs";
import { lstat, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import { z } from "zod";
import { type QuarantineKind, quarantineFolder, readQuarantineName } from "./quarantine.js";

/** What lies in the quarantine of a data directory, for a person who looks into it while a collector runs or not. */

/** Below the quarantine: what is to be taken in again. Each collector looks here every second. */
export const replayFolder = "replay";

/** One thing that was rejected. */
export interface QuarantineEntry {
  /** Names it among all; the beginning of its file's name. */
  readonly id: string;
  readonly file: string;
  readonly timeUs: number;
  readonly code: ErrorCode;
  readonly host: string;
  readonly kind: QuarantineKind;
  readonly bytes: number;
  /** Whether it waits to be taken in again. */
  readonly isWaiting: boolean;
}

/** Larger than any file that is kept there. */
const mostBytes = 1 << 30;

async function listFolder(path: string, isWaiting: boolean): Promise<QuarantineEntry[]> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (thrown) {
    if (systemErrorCode(thrown) === "ENOENT") return [];
    throw new FleetmarkError("DATA_UNWRITABLE", `cannot read ${path}: ${errorMessage(thrown)}`, { cause: thrown });
  }
  const found: QuarantineEntry[] = [];
  for (const file of names.sort()) {
    const name = readQuarantineName(file);
    if (name === undefined) continue;
    const stats = await lstat(join(path, file)).catch(() => undefined);
    if (stats?.isFile() !== true) continue;
    const [time, count] = file.split("-");
    found.push({ id: `${time}-${count}`, file, ...name, bytes: stats.size, isWaiting });
  }
  return found;
}

/** Lists what lies in quarantine, the oldest first. @throws FleetmarkError DATA_UNWRITABLE */
export async function listQuarantine(dataDir: string): Promise<QuarantineEntry[]> {
  const folder = join(dataDir, quarantineFolder);
  return [...(await listFolder(folder, false)), ...(await listFolder(join(folder, replayFolder), true))];
}

function locate(dataDir: string, { file, isWaiting }: Pick<QuarantineEntry, "file" | "isWaiting">): string {
  const folder = join(dataDir, quarantineFolder);
  return isWaiting ? join(folder, replayFolder, file) : join(folder, file);
}

/** Reads a file of the quarantine, never through a link. */
export async function readQuarantined(dataDir: string, entry: Pick<QuarantineEntry, "file" | "isWaiting">): Promise<Buffer> {
  const path = locate(dataDir, entry);
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if ((await file.stat()).size > mostBytes) throw new Error("it is too large");
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (thrown) {
    throw new FleetmarkError("FILE_FAILED", `cannot read ${path}: ${errorMessage(thrown)}`, { cause: thrown });
  }
}

/** Removes something for good. */
export async function dropQuarantined(dataDir: string, entry: QuarantineEntry): Promise<void> {
  await rm(locate(dataDir, entry), { force: true });
}

/** Lays something where the collector takes it in again. */
export async function requestReplay(dataDir: string, entry: QuarantineEntry): Promise<void> {
  if (entry.isWaiting) return;
  await makeFolder(join(dataDir, quarantineFolder, replayFolder), 0o700);
  await rename(locate(dataDir, entry), locate(dataDir, { ...entry, isWaiting: true }));
}

const outcomeSchema = z.object({
  file: z.string(),
  fate: z.enum(["stored", "rejected"]),
  code: z.string().nullable().describe("why it was rejected again"),
  message: z.string(),
  refused: z.record(z.string(), z.number()).describe("samples that were refused again, by code"),
});

/** What became of a replay, for whoever asked for it. */
export type ReplayOutcome = z.infer<typeof outcomeSchema>;

const outcomeSuffix = ".outcome";

/** Tells what became of a replay; then what was replayed is gone from where it waited. */
export async function tellOutcome(dataDir: string, outcome: ReplayOutcome): Promise<void> {
  const path = locate(dataDir, { file: outcome.file, isWaiting: true });
  await writeFile(`${path}${outcomeSuffix}.new`, JSON.stringify(outcome), { mode: 0o600 });
  await rename(`${path}${outcomeSuffix}.new`, `${path}${outcomeSuffix}`);
  await rm(path, { force: true });
}

/** Takes what was told of a replay; undefined while nothing was. */
export async function takeOutcome(dataDir: string, file: string): Promise<ReplayOutcome | undefined> {
  const path = `${locate(dataDir, { file, isWaiting: true })}${outcomeSuffix}`;
  try {
    const outcome = outcomeSchema.parse(JSON.parse(await readFile(path, "utf8")));
    await rm(path, { force: true });
    return outcome;
  } catch {
    return undefined;
  }
}

/** Removes what was told and nobody has heard. */
export async function forgetOutcomes(dataDir: string): Promise<void> {
  const folder = join(dataDir, quarantineFolder, replayFolder);
  for (const name of await readdir(folder).catch(() => [])) {
    const [file, rest] = name.split(outcomeSuffix);
    if (rest !== undefined && readQuarantineName(file) !== undefined) await rm(join(folder, name), { force: true });
  }
}
