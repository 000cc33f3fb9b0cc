import { readFile, stat } from "node:fs/promises";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { findNearest } from "@fleetmark/shared/model/nearest";
import type { Result } from "@fleetmark/shared/model/result";
import { type Baseline, parseBaseline, toBaseline } from "@fleetmark/shared/model/result-file";
import type { Source } from "../../client/source.js";

/** One side of a comparison. */
export interface Subject {
  /** What it is, in words: `run 01JD…`, `host gpu-7`. */
  readonly description: string;
  readonly baseline: Baseline;
}

/**
 * Reads a result file; undefined where no file has the name, unless only a file can have it.
 * @throws FleetmarkError RESULT_FILE_INVALID
 */
export async function readSubjectFile(named: string): Promise<Subject | undefined> {
  const isFile = await stat(named).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile && !/[/\\]|\.json$/.test(named)) return undefined;
  try {
    return { description: named, baseline: parseBaseline(await readFile(named, "utf8"), named) };
  } catch (cause) {
    if (cause instanceof FleetmarkError) throw cause;
    throw new FleetmarkError("RESULT_FILE_INVALID", errorMessage(cause), { cause });
  }
}

/** The result of the host in the middle, of each benchmark that hosts of a class have. */
function takeMiddle(results: readonly Result[]): Result[] {
  return [...new Set(results.map(({ name }) => name))].flatMap((name) => {
    const own = results.filter((result) => result.name === name).sort((a, b) => a.median - b.median);
    const middle = own[Math.floor((own.length - 1) / 2)];
    return middle === undefined ? [] : [middle];
  });
}

/** A run carries its hardware class, so that runs of different hardware are not judged by their times. */
async function findRun(source: Source, id: string): Promise<Subject | undefined> {
  const results = await source.readResults({ run: id });
  const host = results[0]?.host;
  if (host === undefined) return undefined;
  const runs = await source.readRuns({ host }, { limit: 1000 });
  return {
    description: `run ${id}`,
    baseline: toBaseline(
      results,
      runs.find(({ run }) => run === id),
    ),
  };
}

/**
 * Finds what is compared among what was measured: a run by its id, a host, or a hardware class.
 * @throws FleetmarkError SUBJECT_UNKNOWN naming the nearest
 */
export async function findSubject(source: Source, named: string): Promise<Subject> {
  const run = await findRun(source, named);
  if (run !== undefined) return run;
  const latest = await source.readResults({});
  const ofHost = latest.filter(({ host }) => host === named);
  if (ofHost.length > 0) return { description: `host ${named}`, baseline: toBaseline(ofHost) };
  const ofClass = latest.filter(({ hw_class }) => hw_class === named);
  const hosts = new Set(ofClass.map(({ host }) => host)).size;
  if (hosts > 0) {
    const description = `hardware class ${named} (${hosts === 1 ? "one host" : `${hosts} hosts`})`;
    return { description, baseline: toBaseline(takeMiddle(ofClass)) };
  }
  const nearest = findNearest(
    named,
    latest.flatMap(({ host, hw_class, run: id }) => [host, hw_class, id]),
  );
  const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  throw new FleetmarkError("SUBJECT_UNKNOWN", `no file, run, host or hardware class is named ${named}${hint}`);
}
