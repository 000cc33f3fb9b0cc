import { errorMessage, systemErrorCode } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { Point } from "@fleetmark/shared/model/series";
import { FailedSample, type OpenProbe } from "../probes/probe.js";

/**
 * The life of one probe. Its turns come at its interval:
 *
 *   turn ── a sample is still under way ──► the turn is skipped and counted: late
 *        ── it failed often ──────────────► the turn is skipped, 1, 2, 4 … 32 of them
 *        ── else ──► sample ──► points ────────► ok; slow, where it took more than a tenth of its interval: turns
 *                                               are then skipped until it takes no more
 *                           ──► no points ─────► ok; after three in a row: empty
 *                           ──► no such file ──► unavailable
 *                           ──► an error ──────► failed
 *
 * How it went is told with its points: `agent` by tag probe has duration_s and success (1 or 0) of what the host
 * offers, turns_skipped since the agent began, and the text `state` when it changes and for as long as it isn't ok.
 * The log tells when the trouble begins, when it changes and when it is over.
 */

export type ProbeState = "ok" | "slow" | "late" | "failed" | "unavailable" | "empty";

export interface ProbeRunOptions {
  readonly name: string;
  readonly probe: OpenProbe;
  readonly logger: Logger;
  /** Seconds between two turns. */
  readonly intervalS: number;
  /** Gives the time of a sample, microseconds since the Unix epoch. */
  stamp(): number;
  record(points: readonly Point[]): void;
}

export interface ProbeRun {
  readonly options: ProbeRunOptions;
  /** When the sample under way began, milliseconds. */
  busySinceMs: number | undefined;
  /** As it was told last. */
  state: ProbeState | undefined;
  /** What is wrong, as it was last logged; empty while it works. */
  complaint: string;
  skipped: number;
  failuresInRow: number;
  emptyInRow: number;
  /** Turns to skip, because it failed or is slow. */
  rest: number;
}

/**
 * What the file system answers when a host does not offer a file. EOPNOTSUPP: /proc/pressure where PSI is switched
 * off.
 */
const absences = new Set(["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EOPNOTSUPP"]);

const patience = { failures: 3, empty: 3, longestRest: 32 } as const;

/** What a probe may take of its time. A tool that takes seconds costs the host as much again. */
const mostBusy = 0.1;

export function createProbeRun(options: ProbeRunOptions): ProbeRun {
  return {
    options,
    busySinceMs: undefined,
    state: undefined,
    complaint: "",
    skipped: 0,
    failuresInRow: 0,
    emptyInRow: 0,
    rest: 0,
  };
}

function complain(run: ProbeRun, state: ProbeState, message: string): void {
  if (message === run.complaint) return;
  run.complaint = message;
  const { name, logger } = run.options;
  if (state === "unavailable" || state === "empty") {
    logger.info({ event: "probe_unavailable", code: "PROBE_UNAVAILABLE", probe: name }, message);
  } else logger.warn({ event: "probe_failed", code: "PROBE_FAILED", probe: name }, message);
}

function endComplaint(run: ProbeRun): void {
  if (run.complaint === "") return;
  run.complaint = "";
  run.options.logger.info({ event: "probe_recovered", probe: run.options.name }, "the probe works again");
}

/** Records points with how the turn went. */
function tell(run: ProbeRun, state: ProbeState, timeUs: number, points: readonly Point[], figures: Point["fields"]): void {
  const fields = {
    ...figures,
    ...(run.skipped === 0 ? {} : { turns_skipped: run.skipped }),
    ...(state === "ok" && run.state === "ok" ? {} : { state }),
  };
  run.state = state;
  const own = { measurement: "agent", tags: { probe: run.options.name }, timeUs, fields };
  run.options.record(Object.keys(fields).length === 0 ? points : [...points, own]);
}

function noticePoints(run: ProbeRun, timeUs: number, points: readonly Point[], seconds: number): void {
  run.failuresInRow = 0;
  run.emptyInRow = points.length === 0 ? run.emptyInRow + 1 : 0;
  const isEmpty = run.emptyInRow >= patience.empty;
  run.rest = Math.min(patience.longestRest, Math.ceil(seconds / mostBusy / run.options.intervalS) - 1);
  if (isEmpty) complain(run, "empty", "there is nothing for it on this host");
  else if (run.rest > 0) complain(run, "slow", "it takes more than a tenth of its interval; it is asked more seldom");
  else if (points.length > 0) endComplaint(run);
  const state = isEmpty ? "empty" : run.rest > 0 ? "slow" : "ok";
  tell(run, state, timeUs, points, { duration_s: seconds, success: 1 });
}

function noticeFailure(run: ProbeRun, timeUs: number, thrown: unknown, seconds: number): void {
  if (absences.has(systemErrorCode(thrown) ?? "")) {
    complain(run, "unavailable", errorMessage(thrown));
    if (run.state !== "unavailable") tell(run, "unavailable", timeUs, [], {});
    return;
  }
  run.failuresInRow++;
  if (run.failuresInRow >= patience.failures) {
    run.rest = Math.min(patience.longestRest, 2 ** (run.failuresInRow - patience.failures));
  }
  complain(run, "failed", errorMessage(thrown));
  const points = thrown instanceof FailedSample ? thrown.points : [];
  tell(run, "failed", timeUs, points, { duration_s: seconds, success: 0 });
}

async function takeSample(run: ProbeRun): Promise<void> {
  const { probe, stamp } = run.options;
  const beginMs = performance.now();
  run.busySinceMs = beginMs;
  const timeUs = stamp();
  const elapsed = (): number => (performance.now() - beginMs) / 1000;
  try {
    const points = await probe.sample(timeUs);
    noticePoints(run, timeUs, points, elapsed());
  } catch (thrown) {
    noticeFailure(run, timeUs, thrown, elapsed());
  } finally {
    run.busySinceMs = undefined;
  }
}

function skipTurn(run: ProbeRun, state: "late" | "failed"): void {
  run.skipped++;
  tell(run, state, run.options.stamp(), [], { success: 0 });
}

/** Takes the turn of a probe: a sample where one may begin. It does not wait for its end. */
export function takeTurn(run: ProbeRun): void {
  if (run.busySinceMs !== undefined) {
    // A complaint with a growing figure would be logged at each turn.
    complain(run, "late", "it has not answered within its interval; its turns are skipped until it does");
    skipTurn(run, "late");
  } else if (run.rest > 0) {
    run.rest--;
    // A turn that is left out on purpose is no failure.
    if (run.failuresInRow > 0) skipTurn(run, "failed");
  } else void takeSample(run);
}
