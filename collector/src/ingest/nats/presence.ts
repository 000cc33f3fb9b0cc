import { create } from "@bufbuild/protobuf";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { CollectorFrameSchema, type Hello } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { readSubjectHost } from "@fleetmark/shared/nats/subjects";
import { version } from "@fleetmark/shared/version";
import { decodeAgentFrame, encodeCollectorFrame, protocolVersion } from "@fleetmark/shared/wire/frames";
import { type AgentHello, attachHost, detachHost, type Fleet } from "../../fleet/fleet.js";
import { readClockUs, readFineClockUs } from "../../platform/clock.js";
import { replyClock } from "../clock-reply.js";
import type { Intake } from "../intake.js";

/** Agents say Hello again and again; one that missed a few is gone. */
export const absentAfterUs = 150e6;

/** Which hosts are there: over NATS an agent has no stream whose end would tell. */
export interface Attendance {
  /** Takes an agent's Hello; returns the Welcome for it. Throws what is wrong with it. */
  greet(subject: string, bytes: Uint8Array): Uint8Array;
  /** Takes an agent's progress. Throws what is wrong with it. */
  takeProgress(subject: string, bytes: Uint8Array): void;
  /** Lets go the hosts that were not heard of for long. */
  sweep(nowUs: number): void;
  /** Lets go all. */
  end(): void;
}

export interface AttendanceParts {
  readonly intake: Intake;
  readonly fleet: Fleet;
  readonly maxBatchBytes: number;
  readonly logger: Logger;
  onAttach(): void;
  onDetach(): void;
}

function readFrame<K extends "hello" | "progress">(kind: K, bytes: Uint8Array) {
  const { frame } = decodeAgentFrame(bytes);
  if (frame.case !== kind) throw new FleetmarkError("PROTOCOL_VIOLATION", `a ${frame.case} where a ${kind} belongs`);
  return frame as Extract<typeof frame, { case: K }>;
}

export function createAttendance({ intake, fleet, maxBatchBytes, logger, onAttach, onDetach }: AttendanceParts): Attendance {
  const present = new Map<string, AgentHello>();
  const welcome = (receivedUs: number): Uint8Array => {
    const value = { protocolVersion, collectorVersion: version, maxBatchBytes, clock: replyClock(receivedUs) };
    return encodeCollectorFrame(create(CollectorFrameSchema, { frame: { case: "welcome", value } }));
  };

  const isRepeated = (host: string, hello: Hello): boolean => {
    const known = present.get(host);
    if (known === undefined || hello.protocolVersion !== protocolVersion) return false;
    const { agentVersion, hardwareClass, inventoryJson } = hello;
    return known.version === agentVersion && known.hwClass === hardwareClass && known.inventoryJson === inventoryJson;
  };

  const leave = (host: string): void => {
    present.delete(host);
    const state = fleet.get(host);
    if (state?.attached === true) detachHost(state);
    logger.info({ event: "agent_detached", host, link: "nats" }, "an agent was not heard of any more");
    onDetach();
  };

  return {
    greet: (subject, bytes) => {
      const receivedUs = readFineClockUs();
      const host = readSubjectHost(subject);
      const { value: message } = readFrame("hello", bytes);
      const nowUs = readClockUs();
      if (isRepeated(host, message)) {
        fleet.note(host, nowUs);
        return welcome(receivedUs);
      }
      const hello = intake.takeHello(message, { link: "nats", host });
      attachHost(fleet.note(host, nowUs), hello, nowUs);
      if (!present.has(host)) onAttach();
      present.set(host, hello);
      logger.info({ event: "agent_attached", host, version: hello.version, link: "nats" }, "an agent attached");
      return welcome(receivedUs);
    },
    takeProgress: (subject, bytes) => {
      const host = readSubjectHost(subject);
      intake.takeProgress(readFrame("progress", bytes).value, { link: "nats", host });
    },
    sweep: (nowUs) => {
      for (const host of present.keys()) {
        if (nowUs - (fleet.get(host)?.lastSeenUs ?? 0) > absentAfterUs) leave(host);
      }
    },
    end: () => {
      for (const host of present.keys()) {
        const state = fleet.get(host);
        if (state !== undefined) detachHost(state);
        onDetach();
      }
      present.clear();
    },
  };
}
