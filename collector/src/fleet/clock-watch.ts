import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { readClockUs, readSteadyUs } from "../platform/clock.js";
import type { Metrics } from "../telemetry/metrics.js";
import { type ClockJudgement, describeDispute, judgeClock } from "./clock-check.js";
import type { Fleet } from "./fleet.js";

/** A judgement holds for so long, milliseconds: with ten thousand hosts it takes a while. */
const judgeEveryMs = 1000;
const lookEveryMs = 5000;

export interface ClockWatch extends Running {
  judge(): ClockJudgement;
  /** In words, what most hosts have against the collector's clock; undefined while they have nothing. */
  findDispute(): string | undefined;
  /** The time as most hosts have it, while they contradict the collector's clock; else by its own. Microseconds. */
  readTrustedUs(): number;
}

export interface ClockWatchOptions {
  readonly fleet: Pick<Fleet, "clocks">;
  readonly metrics: Pick<Metrics, "clockDisputed" | "clockOffsetSeconds">;
  readonly logger: Logger;
}

/** Watches whether the hosts' clocks contradict the collector's, and says so when that begins and ends. */
export function startClockWatch({ fleet, metrics, logger }: ClockWatchOptions): ClockWatch {
  let judged: { readonly atUs: number; readonly wallUs: number; readonly judgement: ClockJudgement } | undefined;
  let wasDisputed = false;
  const judge = (): ClockJudgement => {
    const clocks = { wallUs: readClockUs(), steadyUs: readSteadyUs() };
    const steppedUs = judged === undefined ? 0 : clocks.wallUs - judged.wallUs - (clocks.steadyUs - judged.atUs);
    if (judged === undefined || clocks.steadyUs - judged.atUs > judgeEveryMs * 1e3 || Math.abs(steppedUs) > 1e6) {
      judged = { atUs: clocks.steadyUs, wallUs: clocks.wallUs, judgement: judgeClock(fleet.clocks(), clocks) };
    }
    return judged.judgement;
  };
  const look = (): void => {
    const judgement = judge();
    const isDisputed = judgement.verdict === "disputed";
    metrics.clockDisputed.set(isDisputed ? 1 : 0);
    metrics.clockOffsetSeconds.set(judgement.offsetUs / 1e6);
    if (isDisputed === wasDisputed) return;
    wasDisputed = isDisputed;
    if (isDisputed) logger.error({ event: "clock_disputed", offset_s: judgement.offsetUs / 1e6 }, describeDispute(judgement));
    else logger.info({ event: "clock_agreed" }, "the hosts' clocks agree with the collector's again");
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return {
    judge,
    findDispute: () => {
      const judgement = judge();
      return judgement.verdict === "disputed" ? describeDispute(judgement) : undefined;
    },
    readTrustedUs: () => {
      const { verdict, offsetUs } = judge();
      return readClockUs() + (verdict === "disputed" ? Math.round(offsetUs) : 0);
    },
    stop: async () => clearInterval(timer),
  };
}
