import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { z } from "zod";
import { readClockUs, readSteadyUs } from "../platform/clock.js";
import type { NameHolders } from "./name-holders.js";

/** Who holds which name, kept over a restart of the collector in its data directory. */

const fileName = "name-holders.json";

const fileSchema = z.object({
  hosts: z.record(
    z.string(),
    z.object({
      identity: z.string(),
      machine: z.string(),
      heard_us: z.number().int().describe("by the wall clock"),
      former: z.array(z.string()).default([]),
    }),
  ),
});

const writeEveryMs = 60_000;

/** Reads who held which name; nobody where the file is not there or makes no sense. */
async function readHolders(path: string): Promise<NameHolders> {
  const holders: NameHolders = new Map();
  try {
    const { hosts } = fileSchema.parse(JSON.parse(await readFile(path, "utf8")));
    for (const [host, { identity, machine, heard_us, former }] of Object.entries(hosts)) {
      // A clock that was set back meanwhile makes nobody heard of in the future.
      const agoUs = Math.max(0, readClockUs() - heard_us);
      holders.set(host, { identity, machine, heardUs: readSteadyUs() - agoUs, former });
    }
  } catch {
    // The first agent of each name that says Hello holds it then.
  }
  return holders;
}

async function writeHolders(path: string, holders: NameHolders): Promise<void> {
  const shiftUs = readClockUs() - readSteadyUs();
  const hosts: Record<string, object> = Object.create(null);
  for (const [host, { identity, machine, heardUs, former }] of holders)
    hosts[host] = { identity, machine, heard_us: Math.round(heardUs + shiftUs), former };
  await writeFile(`${path}.new`, JSON.stringify({ hosts }), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export interface KeptHolders extends Running {
  readonly holders: NameHolders;
  /** Keeps them soon: a name has another holder. */
  noteChange(): void;
}

/** Opens what is kept of a data directory, and keeps it once a minute, after changes and at the end. */
export async function openNameHolders(dataDir: string, logger: Logger): Promise<KeptHolders> {
  const path = join(dataDir, fileName);
  const holders = await readHolders(path);
  let soon: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const keep = (): Promise<void> => {
    clearTimeout(soon);
    soon = undefined;
    running = running
      .then(() => writeHolders(path, holders))
      .catch((thrown) => {
        logger.warn({ event: "name_holders_unkept", error: errorMessage(thrown) }, "who holds which name could not be kept");
      });
    return running;
  };
  const timer = setInterval(() => void (holders.size > 0 && keep()), writeEveryMs);
  timer.unref();
  return {
    holders,
    noteChange: () => {
      soon ??= setTimeout(() => void keep(), 1000);
      soon.unref();
    },
    stop: async () => {
      clearInterval(timer);
      if (holders.size > 0) await keep();
    },
  };
}
