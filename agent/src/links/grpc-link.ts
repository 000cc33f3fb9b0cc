import { chooseBackoff } from "@fleetmark/shared/backoff";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import type { TlsFiles } from "@fleetmark/shared/config/tls";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { DeliveryCounts } from "../delivery/counts.js";
import type { Introduction, Link, RunProgress } from "../delivery/link.js";
import type { Sender } from "../delivery/send-window.js";
import type { ClockOffsetMeter } from "./clock-offset.js";
import { defaultTiming, openSession, type Session, type SessionEnd, type SessionTiming } from "./grpc-session.js";

/** What stays so until a person mends it, and the seconds between attempts then. */
const patientCodes: readonly (string | undefined)[] = ["PROTOCOL_MISMATCH", "HOST_FOREIGN"];
const patientWait = 30;

export interface GrpcLinkOptions {
  readonly address: Address;
  readonly tls: TlsFiles;
  readonly introduction: Introduction;
  readonly sender: Sender;
  readonly counts: DeliveryCounts;
  readonly clockOffset: ClockOffsetMeter;
  readonly logger: Logger;
  readonly timing?: SessionTiming;
}

/** A wait that can be cut short. */
interface Pause {
  wait(seconds: number): Promise<void>;
  end(): void;
}

function createPause(): Pause {
  let wake = (): void => {};
  return {
    wait: (seconds) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    end: () => wake(),
  };
}

/** Opens the gRPC link to a collector. It never gives up; what it meets is logged when it changes. */
export function openGrpcLink(options: GrpcLinkOptions): Link {
  const { counts } = options;
  const logger = options.logger.child({ collector: formatAddress(options.address) });
  const pause = createPause();
  let session: Session | undefined;
  let closed = false;
  let attempt = 0;
  let welcomes = 0;
  let complaint = "";
  let progress: RunProgress | undefined;

  const noteEnd = (end: SessionEnd): void => {
    const level = end.code === complaint ? "debug" : end.code === "COLLECTOR_UNREACHABLE" ? "warn" : "error";
    complaint = end.code ?? "";
    logger[level]({ event: "link_down", code: end.code, attempt }, end.message);
  };

  const runSession = (): Session => {
    let violated = false;
    return openSession({
      ...options,
      timing: options.timing ?? defaultTiming,
      onWelcome(welcome) {
        if (welcomes++ > 0) counts.reconnects++;
        complaint = "";
        logger.info({ event: "link_up", collector_version: welcome.collectorVersion, attempt });
        if (progress !== undefined) session?.report(progress);
      },
      onViolation(message) {
        counts.violations++;
        logger[violated ? "debug" : "warn"]({ event: "frame_ignored", code: "PROTOCOL_VIOLATION" }, message);
        violated = true;
      },
    });
  };

  /** Runs a session to its end; TLS files that can't be used now, perhaps in the midst of their renewal, are one. */
  const attachOnce = async (): Promise<SessionEnd> => {
    try {
      session = runSession();
    } catch (thrown) {
      if (!(thrown instanceof FleetmarkError)) throw thrown;
      return { code: thrown.code, message: thrown.message, fruitful: false };
    }
    return session.ended;
  };

  const stayAttached = async (): Promise<void> => {
    while (!closed) {
      const end = await attachOnce();
      if (closed) return;
      if (end.fruitful) attempt = 0;
      noteEnd(end);
      const chance = Math.random();
      await pause.wait(patientCodes.includes(end.code) ? patientWait * (0.5 + chance) : chooseBackoff(attempt, chance));
      attempt++;
    }
  };
  const finished = stayAttached();

  return {
    wake: () => session?.pump(),
    report(latest) {
      progress = latest;
      session?.report(latest);
    },
    async close() {
      closed = true;
      session?.close();
      pause.end();
      await finished;
    },
  };
}
