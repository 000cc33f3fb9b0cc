import type { ClockReply } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { readFineClockUs } from "../platform/clock.js";

/** Answers a question for the clock that came at this time; to be sent at once. */
export function replyClock(receivedUs: number, requestSentUs = 0n): Omit<ClockReply, "$typeName"> {
  return { requestSentUs, receivedUs: BigInt(receivedUs), sentUs: BigInt(readFineClockUs()) };
}
