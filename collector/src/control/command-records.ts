import { FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { type CommandRecord, commandRecord } from "@fleetmark/shared/records/command";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";
import type { CommandFields } from "../fleet/presence.js";
import type { Writer } from "../ingest/writer.js";
import { readClockUs } from "../platform/clock.js";
import type { StoreReader } from "../store/store.js";
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

export interface RecordOptions {
  /** The collector's own name, under which its batches are stored. */
  readonly name: string;
  readonly writer: Pick<Writer, "enqueue">;
  readonly store: Pick<StoreReader, "findByText" | "readNewest">;
  readonly nextOwnId: () => { epochUs: number; sequence: number };
}

/** Milliseconds within which the store must have taken what a person waits for. */
const patienceMs = 10_000;

/** What such a batch weighs in the writer's queue. */
const encodedBytes = 2048;

/** Records that are read at a time, and in all: the commands of a day to ten thousand hosts. */
const page = { records: 1000, pages: 40 } as const;

/** Commands expire within a day. */
const longestUs = 86_400e6;

/** Writes a record of the collector's own. Resolves when it is on the disk. */
export function recordOwn<R>({ name, writer, nextOwnId }: RecordOptions, kind: RecordKind<R>, record: R): Promise<void> {
  const builder = new BatchBuilder();
  builder.add(kind.toPoint(record));
  const batch = builder.build({ host: name, ...nextOwnId() });
  return new Promise((resolve, reject) => {
    const late = new FleetmarkError("STORE_FAILED", "the store has not taken a record in time");
    const timer = setTimeout(() => reject(late), patienceMs);
    writer.enqueue(
      batch,
      encodedBytes,
      () => {
        clearTimeout(timer);
        resolve();
      },
      [{ kind, record }],
    );
  });
}

/** What an agent recorded; undefined where the record is a collector's. */
export function readRecordedOutcome({ state, code, message, result }: CommandRecord): CommandOutcome | undefined {
  if (state === "done") return { done: true, result: result ?? {} };
  if (state !== "refused") return undefined;
  return { done: false, code: code !== undefined && isErrorCode(code) ? code : "COMMAND_FAILED", message: message ?? "" };
}

/** Reads records of a kind back to a time, the newest first, within bounds. */
export async function readSince<R extends { readonly time_us: number }>(
  store: Pick<StoreReader, "readNewest">,
  kind: RecordKind<R>,
  sinceUs: number,
): Promise<R[]> {
  const found: R[] = [];
  let lastUs: number | undefined;
  for (let i = 0; i < page.pages; i++) {
    // Records of one moment may lie on both sides of a page's end: those of its last are read again.
    const before = lastUs === undefined ? {} : { beforeUs: lastUs + 1 };
    const newest = await store.readNewest(kind, { tags: {}, limit: page.records, ...before });
    const known = new Set(found.filter(({ time_us }) => time_us === lastUs).map((record) => JSON.stringify(record)));
    found.push(...newest.filter((record) => record.time_us >= sinceUs && !known.has(JSON.stringify(record))));
    const endUs = newest.at(-1)?.time_us;
    if (newest.length < page.records || endUs === undefined || endUs < sinceUs || endUs === lastUs) break;
    lastUs = endUs;
  }
  return found;
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
