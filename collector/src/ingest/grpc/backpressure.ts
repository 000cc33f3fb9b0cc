import { findDebtMs, spendBytes } from "../byte-budget.js";
import { type AgentCall, endWhenDone, type Session } from "./session.js";

/**
 * What one agent may have under way before the collector stops reading from it: batches without an acknowledgement (an
 * agent of ours sends 64), and acknowledgement frames that it has not read.
 */
const mostUnderWay = { batches: 1024, unreadFrames: 64 } as const;

/** Records that a batch of the session was taken in. */
export function countReceived(session: Session): void {
  session.outstanding++;
  if (session.outstanding >= mostUnderWay.batches) session.room.shut();
}

/** Records that the fate of a batch is known. */
export function countAcknowledged(session: Session): void {
  session.outstanding--;
  if (session.outstanding < mostUnderWay.batches) session.room.open();
}

/** Resolves when the agent has read what was sent, or is gone. */
function waitForReader(call: AgentCall): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ["drain", "cancelled", "close", "error"]) call.once(event, resolve);
  });
}

/** Returns what a host must wait for that has sent too much of late, if anything. */
function waitForBudget({ budget, context }: Session): Promise<void> | undefined {
  const debtMs = findDebtMs(budget, performance.now());
  if (debtMs === 0) return undefined;
  context.metrics.hostsThrottled.inc();
  return new Promise((resolve) => {
    setTimeout(resolve, Math.min(1000, debtMs)).unref();
  });
}

/** Returns what must come to pass before the stream is read again, if anything. */
function findCrowd(session: Session): Promise<void> | undefined {
  const { call, context, room } = session;
  const debt = waitForBudget(session);
  if (debt !== undefined) return debt;
  const storeRoom = context.intake.waitForRoom();
  if (storeRoom !== undefined) return storeRoom;
  if (call.writableLength >= mostUnderWay.unreadFrames) return waitForReader(call);
  return room.wait();
}

/**
 * Looks at the frames that have come, one by one. While the store is behind, or the agent leaves its acknowledgements
 * unread or sends too much without one, they wait as they came, and the stream is not read: of 10 000 agents each has
 * a frame on its way then, which decoded would take five times as much.
 */
export async function drainFrames(session: Session, handle: (frame: Buffer) => void): Promise<void> {
  if (session.draining) return;
  session.draining = true;
  while (session.open && session.reading) {
    const crowd = findCrowd(session);
    if (crowd !== undefined) {
      session.call.pause();
      await crowd;
      continue;
    }
    const frame = session.waiting.shift();
    if (frame === undefined) break;
    spendBytes(session.budget, frame.length, session.context.limits.bytes_per_second_per_host, performance.now());
    handle(frame);
  }
  session.draining = false;
  endWhenDone(session);
  if (session.open && session.call.isPaused()) session.call.resume();
}
