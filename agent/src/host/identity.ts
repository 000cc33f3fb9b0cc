import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/**
 * What tells this agent from another of the same host name. A name is given by people, and given twice by accident: by
 * a machine that was cloned, or a configuration that was copied. So each agent has an identity beneath its name, made
 * once and kept beside its spool. It is made anew where the folder turns up on another machine.
 */
export interface Identity {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** A hash of what tells this machine from another; empty where nothing does. */
  readonly machine: string;
  /** Whether the folder held the identity of another machine. */
  readonly isCloned: boolean;
}

const fileName = "identity.json";

const identitySchema = z.object({ id: z.string().regex(/^[0-9a-f]{32}$/), machine: z.string().regex(/^([0-9a-f]{32})?$/) });

/** What differs between machines: of a clone with the same machine-id the firmware's UUID, where it may be read. */
const machineFiles = ["/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid"];

async function readShort(path: string): Promise<string> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
      return buffer.toString("latin1", 0, bytesRead).trim();
    } finally {
      await file.close();
    }
  } catch {
    return "";
  }
}

/**
 * Returns a hash of what tells this machine from another; empty where nothing does. The machine-id itself is to be told
 * to nobody (machine-id(5)).
 */
export async function readMachine(files: readonly string[] = machineFiles): Promise<string> {
  const found = (await Promise.all(files.map(readShort))).filter((text) => text !== "" && text !== "uninitialized");
  if (found.length === 0) return "";
  return createHash("sha256")
    .update(`fleetmark machine\n${[...new Set(found)].join("\n")}`)
    .digest("hex")
    .slice(0, 32);
}

async function readKept(path: string): Promise<{ id: string; machine: string } | undefined> {
  try {
    return identitySchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

/**
 * Returns the identity that is kept in a folder, or makes one. Where it can't be kept, as on a full disk, it lasts as
 * long as the process.
 */
export async function openIdentity(folder: string, machine: string): Promise<Identity> {
  const path = join(folder, fileName);
  const kept = await readKept(path);
  const isCloned = kept !== undefined && kept.machine !== "" && machine !== "" && kept.machine !== machine;
  if (kept !== undefined && !isCloned && (kept.machine !== "" || machine === "")) return { ...kept, isCloned };
  const id = kept !== undefined && !isCloned ? kept.id : randomBytes(16).toString("hex");
  await keepIdentity(folder, { id, machine });
  return { id, machine, isCloned };
}

/** Keeps an identity in a folder, if that is possible. */
export async function keepIdentity(folder: string, { id, machine }: Pick<Identity, "id" | "machine">): Promise<void> {
  const path = join(folder, fileName);
  try {
    await writeFile(`${path}.new`, `${JSON.stringify({ id, machine })}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch {
    // The next start makes another; the collector knows the machine by its hash.
  }
}
