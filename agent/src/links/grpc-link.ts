import { chooseBackoff } from "@fleetmark/shared/backoff";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import type { TlsFiles } from "@fleetmark/shared/config/tls";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Welcome } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { once } from "@fleetmark/shared/lifecycle";
import { addFields, type Logger } from "@fleetmark/shared/log";
import type { HostProgress } from "@fleetmark/shared/model/progress";
import { createPause, type Pause } from "@fleetmark/shared/waiting";
import type { Link } from "../delivery/link.js";
import { defaultTiming, type Session, type SessionEnd, type SessionTiming, startSession } from "./grpc-session.js";
import type { LinkOptions } from "./link-options.js";

/** What stays so until a person mends it, and the seconds between attempts then. */
const patientCodes: readonly (string | undefined)[] = ["PROTOCOL_MISMATCH", "HOST_FOREIGN", "HOST_NAME_TAKEN"];
const patientWait = 30;

export interface GrpcLinkOptions extends LinkOptions {
  readonly address: Address;
  readonly tls: TlsFiles;
  readonly timing?: SessionTiming;
}

interface GrpcLinkState {
  readonly options: GrpcLinkOptions;
  readonly logger: Logger;
  readonly pause: Pause;
  session: Session | undefined;
  stopped: boolean;
  /** Since the last session that was of use. */
  attempt: number;
  welcomes: number;
  /** The code that was logged last; empty since the last Welcome. */
  complaint: string;
  progress: HostProgress | undefined;
}

function logEnd(link: GrpcLinkState, end: SessionEnd): void {
  const level = end.code === link.complaint ? "debug" : end.code === "COLLECTOR_UNREACHABLE" ? "warn" : "error";
  link.complaint = end.code ?? "";
  link.logger[level]({ event: "link_down", code: end.code, attempt: link.attempt }, end.message);
}

function noticeWelcome(link: GrpcLinkState, { collectorVersion }: Welcome): void {
  if (link.welcomes++ > 0) link.options.counts.reconnects++;
  link.complaint = "";
  link.logger.info({ event: "link_up", collector_version: collectorVersion, attempt: link.attempt });
  if (link.progress !== undefined) link.session?.report(link.progress);
}

function attach(link: GrpcLinkState): Session {
  const { options, logger } = link;
  let violated = false;
  return startSession({
    ...options,
    timing: options.timing ?? defaultTiming,
    onWelcome: (welcome) => noticeWelcome(link, welcome),
    onViolation: (message) => {
      options.counts.violations++;
      logger[violated ? "debug" : "warn"]({ event: "frame_ignored", code: "PROTOCOL_VIOLATION" }, message);
      violated = true;
    },
  });
}

/** Runs a session to its end; TLS files that can't be used now, perhaps in the midst of their renewal, are one. */
async function runSession(link: GrpcLinkState): Promise<SessionEnd> {
  try {
    link.session = attach(link);
  } catch (thrown) {
    if (!(thrown instanceof FleetmarkError)) throw thrown;
    return { code: thrown.code, message: thrown.message, fruitful: false };
  }
  return link.session.ended;
}

async function stayAttached(link: GrpcLinkState): Promise<void> {
  while (!link.stopped) {
    const end = await runSession(link);
    if (link.stopped) return;
    if (end.fruitful) link.attempt = 0;
    logEnd(link, end);
    const chance = Math.random();
    const isPatient = patientCodes.includes(end.code);
    await link.pause.wait(isPatient ? patientWait * (0.5 + chance) : chooseBackoff(link.attempt, chance));
    link.attempt++;
  }
}

/** Starts the gRPC link to a collector. It never gives up; what it meets is logged when it changes. */
export function startGrpcLink(options: GrpcLinkOptions): Link {
  const link: GrpcLinkState = {
    options,
    logger: addFields(options.logger, { collector: formatAddress(options.address) }),
    pause: createPause(),
    session: undefined,
    stopped: false,
    attempt: 0,
    welcomes: 0,
    complaint: "",
    progress: undefined,
  };
  const finished = stayAttached(link);
  return {
    wake: () => link.session?.pump(),
    report: (latest) => {
      link.progress = latest;
      link.session?.report(latest);
    },
    stop: once(async () => {
      link.stopped = true;
      void link.session?.stop();
      link.pause.end();
      await finished;
    }),
  };
}
