import { isErrorCode } from "@fleetmark/shared/errors";
import { type CommandRecord, commandRecord } from "@fleetmark/shared/records/command";
import type { CommandFields } from "../fleet/presence.js";
import { readClockUs } from "../platform/clock.js";
import { type RecordOptions, readSince, recordOwn } from "../records/own-records.js";
import type { CommandOutcome, CommandRequest } from "./command.js";

/** Writes records of the collector's own and reads back what agents recorded. */
export interface CommandRecords {
  /** @throws FleetmarkError STORE_FAILED where the store does not take it in time */
  recordAsked(host: string, command: CommandFields, request: CommandRequest): Promise<void>;
  /** Nobody waits for it. */
  recordExpired(host: string, command: CommandFields): void;
  /** What an agent recorded of a command; undefined where none has. */
  findOutcome(id: string): Promise<CommandOutcome | undefined>;
  /** What was asked, has not expired, and of which nothing else is recorded. */
  listUnanswered(): Promise<CommandRecord[]>;
}

/** Commands expire within a day. */
const longestUs = 86_400e6;

/** What an agent recorded; undefined where the record is a collector's. */
export function readRecordedOutcome({ state, code, message, result }: CommandRecord): CommandOutcome | undefined {
  if (state === "done") return { done: true, result: result ?? {} };
  if (state !== "refused") return undefined;
  return { done: false, code: code !== undefined && isErrorCode(code) ? code : "COMMAND_FAILED", message: message ?? "" };
}

export function createCommandRecords(options: RecordOptions): CommandRecords {
  const { store } = options;
  let lastUs = 0;
  // Two points of one host and command at one time would be one.
  const stamp = (): number => {
    lastUs = Math.max(readClockUs(), lastUs + 1);
    return lastUs;
  };
  return {
    recordAsked: (host, { id, name, expiresUs }, { by, campaign, arguments: given }) =>
      recordOwn(options, commandRecord, {
        host,
        command: name,
        time_us: stamp(),
        id,
        state: "asked",
        arguments: given,
        expires_us: Number(expiresUs),
        ...(by === undefined ? {} : { by }),
        ...(campaign === undefined ? {} : { campaign }),
      }),
    recordExpired: (host, { id, name }) => {
      const message = "the host's agent did not answer in time";
      const record: CommandRecord = {
        host,
        command: name,
        time_us: stamp(),
        id,
        state: "expired",
        code: "COMMAND_TIMED_OUT",
        message,
      };
      recordOwn(options, commandRecord, record).catch(() => {});
    },
    findOutcome: async (id) => {
      const found = await store.findByText(commandRecord, "id", id);
      return found.map(readRecordedOutcome).find((outcome) => outcome !== undefined);
    },
    listUnanswered: async () => {
      const nowUs = readClockUs();
      const records = await readSince(store, commandRecord, nowUs - longestUs);
      const ended = new Set(records.filter(({ state }) => state !== "asked").map(({ id }) => id));
      return records.filter(({ id, state, expires_us = 0 }) => state === "asked" && expires_us > nowUs && !ended.has(id));
    },
  };
}
