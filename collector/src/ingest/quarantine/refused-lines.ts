import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { readClockUs } from "../../platform/clock.js";
import type { RefuseLine } from "../../store/store.js";
import type { Metrics } from "../../telemetry/metrics.js";
import type { Quarantine } from "./quarantine.js";

/** How much of a refused line goes into the log. */
const shownLine = 200;

/** Keeps in quarantine, and counts, what the store will never take. */
export function createLineRefuser(quarantine: Quarantine, metrics: Metrics, logger: Logger): RefuseLine {
  return async (line, reason) => {
    metrics.samplesRefused.inc({ code: "STORE_REFUSED" });
    logger.warn(
      { event: "line_refused", reason, line: line.slice(0, shownLine) },
      "the store refuses a line for good; it is kept in quarantine",
    );
    try {
      const item = { kind: "line", bytes: Buffer.from(`${line}\n`), code: "STORE_REFUSED", host: undefined } as const;
      await quarantine.keep(item, readClockUs());
      metrics.quarantineBytes.set(quarantine.size());
    } catch (thrown) {
      metrics.quarantineFailures.inc();
      logger.error({ event: "quarantine_failed", error: errorMessage(thrown) }, "a refused line could not be kept");
    }
  };
}
