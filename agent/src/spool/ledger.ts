import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { z } from "zod";

/** The ledger's file. */
const fileName = "note";
const formatVersion = 1;
const count = z.number().int().nonnegative();

const ledgerSchema = z.object({
  version: z.number(),
  /** The highest epoch that a process was given. */
  epochUs: count,
  /** The last event time that was stamped, and how often the clock was set back for good. */
  clock: z.object({ lastUs: count, generation: count }),
  /** What the files hold, gone or not: when less is found, something was lost on the disk. */
  records: count,
  samples: count,
  /** Dropped samples by code, and unreadable batches, since the spool was made. */
  dropped: z.record(z.string(), count),
  quarantined: count,
});

/** What outlives the process beside the batches. */
export type Ledger = Omit<z.infer<typeof ledgerSchema>, "version">;

/** The file that holds the ledger. */
export interface LedgerFile {
  /**
   * Undefined when there is none, or none that can be read.
   * @throws FleetmarkError DATA_NEWER
   */
  read(): Ledger | undefined;
  /** Survives the end of the process at once, that of the machine only with `sync`. */
  write(ledger: Ledger, options?: { sync: boolean }): void;
  close(): void;
}

const checksumLength = 8;

function parseLedger(text: string): Ledger | undefined {
  const { data } = ledgerSchema.safeParse(JSON.parse(text));
  if (data !== undefined && data.version > formatVersion) {
    throw new FleetmarkError("DATA_NEWER", `the spool is of format ${data.version}; this agent knows ${formatVersion}`);
  }
  return data;
}

/**
 * The ledger is written in place, so that a full disk takes it too; one that is half written shows by its checksum.
 */
export function openLedger(dir: string): LedgerFile {
  const path = join(dir, fileName);
  let file: number | undefined;
  let length = 512;
  return {
    read() {
      let text: string;
      try {
        text = readFileSync(path, "latin1");
      } catch {
        return undefined;
      }
      length = Math.max(length, text.length);
      const body = Buffer.from(text.slice(checksumLength).trimEnd(), "latin1");
      const isWhole = crc32(body) === Number.parseInt(text.slice(0, checksumLength), 16);
      return isWhole ? parseLedger(body.toString()) : undefined;
    },
    write(ledger, options = { sync: false }) {
      try {
        file ??= openSync(path, "r+");
      } catch {
        file = openSync(path, "w+", 0o600);
      }
      const body = Buffer.from(JSON.stringify({ version: formatVersion, ...ledger }));
      // Never shorter than it was, so that nothing of the one before is left behind it.
      const line = Buffer.alloc(Math.max(length, checksumLength + body.length), " ");
      line.write(crc32(body).toString(16).padStart(checksumLength, "0"));
      body.copy(line, checksumLength);
      length = line.length;
      writeSync(file, line, 0, line.length, 0);
      if (options.sync) fdatasyncSync(file);
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
