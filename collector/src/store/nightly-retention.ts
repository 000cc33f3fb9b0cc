import { errorMessage } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { startNightly } from "../platform/nightly.js";
import type { Retention } from "./retention.js";
import {
  type ClockEvidence,
  decideRetention,
  type RetentionMemory,
  readRetentionMemory,
  takeConsent,
  writeRetentionMemory,
} from "./retention-guard.js";
import type { Store } from "./store.js";

/** Between two looks for a person's consent, while it is held. */
const consentEveryMs = 10_000;

export interface NightlyRetentionOptions {
  readonly store: Store;
  readonly dataDir: string;
  readonly keep: Retention;
  readonly readClockUs: () => number;
  readonly findEvidence: () => ClockEvidence;
  /** Told whether it is held. */
  readonly onHeld: (isHeld: boolean) => void;
  readonly logger: Logger;
}

/** The rolling up and dropping of what is past its time, each night, while the clock can be trusted. */
export interface NightlyRetention extends Running {
  /** Why nothing is rolled up or dropped; undefined while it is. */
  heldBecause(): string | undefined;
}

interface RetentionState {
  readonly options: NightlyRetentionOptions;
  reason: string | undefined;
  running: Promise<void>;
  timer: NodeJS.Timeout | undefined;
}

/** Says how much is concerned, where the store can tell. */
async function describePlan({ store }: NightlyRetentionOptions, nowUs: number): Promise<string> {
  const plan = await store.planRetention(nowUs).catch(() => undefined);
  if (plan === undefined) return "";
  return `; it would roll up ${plan.samples_to_roll_up} of ${plan.samples} samples, and drop ${plan.hours_to_drop} hours and ${plan.records_to_drop} samples of records`;
}

async function hold(state: RetentionState, memory: RetentionMemory | undefined, nowUs: number, reason: string): Promise<void> {
  const { options } = state;
  const { logger, dataDir, keep } = options;
  state.reason = reason;
  options.onHeld(true);
  const plan = await describePlan(options, nowUs);
  logger.warn({ event: "store_retain_held" }, `nothing is rolled up or dropped: ${reason}${plan}`);
  const before = memory ?? { lastUs: options.findEvidence().heardUs ?? 0, keep, held: null };
  const held = { sinceUs: Math.min(before.held?.sinceUs ?? nowUs, nowUs), reason };
  await writeRetentionMemory(dataDir, { ...before, held });
}

async function retain(state: RetentionState, memory: RetentionMemory | undefined, nowUs: number): Promise<void> {
  const { store, logger, dataDir, keep, onHeld } = state.options;
  state.reason = undefined;
  onHeld(false);
  const retained = await store.retain(nowUs);
  if (retained !== undefined)
    logger.info(
      { event: "store_retained", ...retained },
      "what is past its time was rolled up or dropped, and free space given back",
    );
  // A clock that was set back moves nothing on: the later time stands.
  await writeRetentionMemory(dataDir, { lastUs: Math.max(nowUs, memory?.lastUs ?? 0), keep, held: null });
}

/** One night; what fails is tried again the next. */
async function runNight(state: RetentionState, isAllowed: boolean): Promise<void> {
  const { dataDir, keep, readClockUs, findEvidence, logger } = state.options;
  try {
    const memory = await readRetentionMemory(dataDir);
    const nowUs = readClockUs();
    const decision = isAllowed ? { kind: "go" as const } : decideRetention(nowUs, keep, memory, findEvidence());
    if (decision.kind === "go") await retain(state, isAllowed ? undefined : memory, nowUs);
    else await hold(state, memory, nowUs, decision.reason);
  } catch (thrown) {
    logger.error({ event: "store_retain_failed", error: errorMessage(thrown) }, "what is past its time could not be rolled up");
  }
}

function queueNight(state: RetentionState, isAllowed: boolean): Promise<void> {
  state.running = state.running.then(() => runNight(state, isAllowed));
  return state.running;
}

/** A consent is for what is held now: one that lies there while nothing is held is for nothing. */
async function lookForConsent(state: RetentionState): Promise<void> {
  const { dataDir, logger } = state.options;
  if (!(await takeConsent(dataDir))) return;
  logger.info({ event: "store_retain_allowed" }, "a person allowed what is past its time to go");
  await queueNight(state, true);
}

/** Starts it: once soon, then every night, and at once when a person allows what was held. */
export function startNightlyRetention(options: NightlyRetentionOptions): NightlyRetention {
  const state: RetentionState = { options, reason: undefined, running: Promise.resolve(), timer: undefined };
  const nightly = startNightly(() => queueNight(state, false));
  state.timer = setInterval(() => void lookForConsent(state), consentEveryMs);
  state.timer.unref();
  return {
    heldBecause: () => state.reason,
    stop: async () => {
      clearInterval(state.timer);
      await nightly.stop();
    },
  };
}
