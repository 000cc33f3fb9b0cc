import type { ClockReply, Welcome } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { version } from "@fleetmark/shared/version";
import { protocolVersion } from "@fleetmark/shared/wire/frames";
import { readFineClockUs } from "../platform/clock.js";

/** Answers a question for the clock that came at this time; to be sent at once. */
export function replyClock(receivedUs: number, requestSentUs = 0n): Omit<ClockReply, "$typeName"> {
  return { requestSentUs, receivedUs: BigInt(receivedUs), sentUs: BigInt(readFineClockUs()) };
}

/** What answers a Hello that came at this time; to be sent at once, for it tells the clock too. */
export type WelcomeFields = Omit<Welcome, "$typeName" | "clock"> & { readonly clock: Omit<ClockReply, "$typeName"> };

export function makeWelcome(maxBatchBytes: number, receivedUs: number): WelcomeFields {
  return { protocolVersion, collectorVersion: version, maxBatchBytes, clock: replyClock(receivedUs) };
}
