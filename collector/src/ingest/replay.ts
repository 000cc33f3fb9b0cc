import { createHash } from "node:crypto";
import { errorMessage, type FleetmarkError, toFleetmarkError } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import type { DecodedBatch } from "@fleetmark/shared/wire/batch-decoder";
import { outlineBatch } from "@fleetmark/shared/wire/batch-decoder";
import { createLineParser } from "../move/parse-line.js";
import type { Metrics } from "../telemetry/metrics.js";
import type { Fate, Intake } from "./intake.js";
import {
  forgetOutcomes,
  listQuarantine,
  type QuarantineEntry,
  type ReplayOutcome,
  readQuarantined,
  tellOutcome,
} from "./quarantine/contents.js";
import type { Quarantine } from "./quarantine/quarantine.js";
import { readRefused } from "./quarantine/refused-samples.js";

/**
 * Takes in again what a person laid in `quarantine/replay/`. It goes the way of all batches and is judged as they are:
 * what is refused again goes back into quarantine, with its new reason. Each has a name that its content gives it, so
 * that a collector which dies between the commit and the removal of the file stores it once all the same.
 */

const lookEveryMs = 1000;

export interface ReplayOptions {
  readonly dataDir: string;
  readonly intake: Pick<Intake, "takeBatch" | "takeDecoded" | "waitForRoom">;
  readonly quarantine: Quarantine;
  readonly metrics: Pick<Metrics, "quarantineBytes">;
  readonly logger: Logger;
}

/** Names the samples of a line by its text. */
function readLine(text: string): DecodedBatch {
  const point = createLineParser()(text.trim(), "us");
  const builder = new BatchBuilder();
  builder.add(point);
  const digest = createHash("sha256").update(text).digest();
  const id = { host: point.tags.host || "unknown", epochUs: 0, sequence: 2 ** 52 + digest.readUIntBE(0, 6) };
  const { series, numbers, texts } = builder.build(id);
  return { id, series: series.map((each) => ({ ...each, fault: undefined })), numbers, texts };
}

/** Hands a file to the intake, as what it is. */
function takeIn({ intake }: ReplayOptions, { kind }: QuarantineEntry, bytes: Buffer): Promise<Fate> {
  return new Promise((resolve) => {
    if (kind === "batch") {
      const { host } = outlineBatch(bytes).id;
      intake.takeBatch(bytes, { link: "grpc", host }, resolve);
    } else {
      const text = bytes.toString("utf8");
      intake.takeDecoded(kind === "samples" ? readRefused(text) : readLine(text), bytes.length, resolve);
    }
  });
}

function describeFate(file: string, fate: Exclude<Fate, { kind: "deferred" }>): ReplayOutcome {
  if (fate.kind === "rejected") return { file, fate: "rejected", code: fate.code, message: fate.message, refused: {} };
  return { file, fate: "stored", code: null, message: "", refused: Object.fromEntries(fate.refused) };
}

/** What can't be read at all never came to the intake, which therefore did not keep it. */
async function keepUnreadable({ quarantine }: ReplayOptions, entry: QuarantineEntry, bytes: Buffer): Promise<void> {
  const { kind, code, host, timeUs } = entry;
  await quarantine.keep({ kind, bytes, code, host }, timeUs);
}

async function replay(options: ReplayOptions, entry: QuarantineEntry): Promise<void> {
  const { dataDir, logger } = options;
  const { file } = entry;
  const bytes = await readQuarantined(dataDir, entry);
  await options.intake.waitForRoom();
  let outcome: ReplayOutcome;
  try {
    const fate = await takeIn(options, entry, bytes);
    // Until the hosts' clocks agree with ours it waits here.
    if (fate.kind === "deferred") return;
    outcome = describeFate(file, fate);
  } catch (thrown) {
    const error: FleetmarkError = toFleetmarkError(thrown, errorMessage(thrown), () => {});
    await keepUnreadable(options, entry, bytes);
    outcome = { file, fate: "rejected", code: error.code, message: error.message, refused: {} };
  }
  await tellOutcome(dataDir, outcome);
  const { fate, code, refused } = outcome;
  logger.info({ event: "quarantine_replayed", file, fate, code, refused }, "what was in quarantine was taken in again");
}

async function replayAll(options: ReplayOptions, isStopped: () => boolean): Promise<void> {
  for (const entry of await listQuarantine(options.dataDir)) {
    if (isStopped()) return;
    if (entry.isWaiting) await replay(options, entry);
  }
}

/** Starts to look for what is to be taken in again. */
export function startReplay(options: ReplayOptions): Running {
  const { dataDir, quarantine, metrics, logger } = options;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    try {
      await quarantine.look();
      metrics.quarantineBytes.set(quarantine.size());
      await replayAll(options, () => stopped);
    } catch (thrown) {
      logger.error(
        { event: "quarantine_failed", error: errorMessage(thrown) },
        "what is in quarantine could not be taken in again",
      );
    }
    schedule();
  };
  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(() => void look(), lookEveryMs);
    timer.unref();
  };
  void forgetOutcomes(dataDir).then(look);
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
