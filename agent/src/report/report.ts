import type { ErrorCode } from "@fleetmark/shared/errors";
import { once } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { Result, Run } from "@fleetmark/shared/model/result";
import type { Point } from "@fleetmark/shared/model/series";
import { resultRecord } from "@fleetmark/shared/records/result";
import { runRecord } from "@fleetmark/shared/records/run";
import { version } from "@fleetmark/shared/version";
import { pino } from "pino";
import type { Fate } from "../batch/encoded-batch.js";
import { type Delivery, type DeliveryOptions, startDelivery } from "../delivery/delivery.js";
import { createClockOffsetMeter } from "../links/clock-offset.js";
import { type LinkConfig, loadLink } from "../links/load-link.js";

/*
 * Results of a program that is no agent, on the agents' way to the collector:
 *
 *   results ──► spool in a folder of the program's ──► link, as a guest ──► collector
 *                 └─ what is not acknowledged when the program ends stays, and the next report on the folder sends it
 *
 * A guest sends under its host's name beside the host's agent and displaces nobody. Why not by the agent's own spool:
 * docs/decisions/0013-results-of-programs.md.
 */

export interface ReportOptions {
  readonly host: string;
  readonly hardwareClass: string;
  /** How the collector is reached, as an agent's configuration says it. */
  readonly link: LinkConfig;
  /** Where results wait until the collector's store has them; one report a folder at a time. */
  readonly folder: string;
}

/** What has become of a report when it ends. */
export interface ReportOutcome {
  /** Samples that the collector has not acknowledged: they wait in the folder. */
  readonly unacked: number;
  /** Records that it took and could not store, by the reason. */
  readonly refused: readonly Exclude<Fate, "committed">[];
  /** The last trouble on the way, where there is something unacknowledged. */
  readonly trouble: { readonly code: ErrorCode; readonly message: string } | undefined;
}

/** A report under way. */
export interface Report {
  /** Adds a result. Resolves when it is on the disk: from then on the end of the program loses nothing of it. */
  addResult(result: Result): Promise<void>;
  addRun(run: Run): Promise<void>;
  /** Waits until all is acknowledged, for so many seconds at most, and ends. What is not stays in the folder. */
  finish(seconds?: number): Promise<ReportOutcome>;
}

/** Seconds. A collector that is there answers in one; connecting to it anew takes some more. */
const patienceS = 15;

/** Bounds of the folder: more than a host ever measures while its collector is away. */
const bounds = { maxBytes: 2 ** 28, maxAge: 365 * 86_400, resendRate: 2 ** 20 } as const;

interface ReportState {
  readonly delivery: Delivery;
  readonly fates: Promise<Fate>[];
  trouble: ReportOutcome["trouble"];
}

/** A logger that keeps the last complaint: a program shows it once, at its end. */
function createComplaintLogger(onComplaint: (complaint: NonNullable<ReportOutcome["trouble"]>) => void): Logger {
  const write = (line: string): void => {
    const { code, msg } = JSON.parse(line) as { code?: ErrorCode; msg?: string };
    if (code !== undefined) onComplaint({ code, message: msg ?? "" });
  };
  return pino({ level: "debug", base: undefined }, { write });
}

function addPoint({ delivery, fates }: ReportState, point: Point): Promise<void> {
  fates.push(delivery.recordResult(point));
  return delivery.flush();
}

async function finishReport({ delivery, fates }: ReportState, seconds: number): Promise<Omit<ReportOutcome, "trouble">> {
  const { unacked } = await delivery.stop(seconds);
  const all = await Promise.all(fates);
  // Those that wait in the folder are told as unreachable.
  const refused = all.filter((fate) => fate !== "committed" && fate !== "COLLECTOR_UNREACHABLE");
  return { unacked, refused: refused as ReportOutcome["refused"] };
}

function chooseDelivery({ host, folder }: ReportOptions, logger: Logger): DeliveryOptions {
  // Epochs of agents are whole milliseconds; programs that begin in the same one must not share a batch's name.
  const epochOffsetUs = 1 + (process.pid % 999);
  return { host, spool: { dir: folder, ...bounds, epochOffsetUs }, flushInterval: 1, logger };
}

/**
 * Starts a report. What an earlier one on the folder left is sent first.
 * @throws FleetmarkError SPOOL_LOCKED, SPOOL_UNWRITABLE, TLS_UNREADABLE, TLS_INVALID, TLS_EXPIRED, NATS_SECRET_INVALID
 */
export async function startReport(options: ReportOptions): Promise<Report> {
  const { host, hardwareClass } = options;
  const startLink = await loadLink(options.link);
  const logger = createComplaintLogger((complaint) => {
    state.trouble = complaint;
  });
  const delivery = await startDelivery(chooseDelivery(options, logger));
  const state: ReportState = { delivery, fates: [], trouble: undefined };
  const introduction = { host, agentVersion: version, hardwareClass, inventoryJson: "{}", guest: true };
  const clockOffset = createClockOffsetMeter();
  delivery.attach((window, counts) => startLink({ introduction, window, counts, clockOffset, logger }));
  let patience = patienceS;
  const end = once(() => finishReport(state, patience));
  return {
    addResult: (result) => addPoint(state, resultRecord.toPoint(result)),
    addRun: (run) => addPoint(state, runRecord.toPoint(run)),
    finish: async (seconds = patienceS) => {
      patience = seconds;
      const outcome = await end();
      return { ...outcome, trouble: outcome.unacked === 0 ? undefined : state.trouble };
    },
  };
}

/** Delivers a run with its results: what a `Benchmarker` reports to. */
export interface ReportSink {
  /**
   * Resolves when all of it is stored, or waits in the folder because no collector took it.
   * @throws FleetmarkError as `startReport` does
   */
  deliver(run: Run, results: readonly Result[]): Promise<ReportOutcome>;
}

export function createReportSink({ link, folder }: Pick<ReportOptions, "link" | "folder">): ReportSink {
  return {
    deliver: async (run, results) => {
      const report = await startReport({ host: run.host, hardwareClass: run.hw_class, link, folder });
      for (const result of results) await report.addResult(result);
      await report.addRun(run);
      return report.finish();
    },
  };
}
