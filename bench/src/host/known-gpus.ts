import { readFile, rename, writeFile } from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { z } from "zod";

/*
 * What a host's GPUs were called when they were last told of, in a small file: so a tool that hangs, or a driver that
 * is not loaded, does not move the host into another hardware class. It is a help and never needed: a folder that
 * can't be read or written, or that hangs, changes nothing else.
 */

const knownGpusSchema = z.record(
  z.string(),
  z.object({
    /** Ids of the devices on the bus then, sorted: GPUs of other hardware are not these. */
    bus: z.array(z.string()),
    gpus: z.array(z.string()),
  }),
);

/** By vendor. */
export type KnownGpus = z.infer<typeof knownGpusSchema>;

/** Seconds after which a folder that does not answer is left alone. */
const patienceS = 1;

/**
 * Returns where the state of a person's or a service's programs is kept: STATE_DIRECTORY (systemd.exec(5)),
 * XDG_STATE_HOME (XDG Base Directory Specification), or what is usual on the system.
 */
export function findStateFolder(environment = process.env, platform = process.platform, home = homedir()): string {
  const { STATE_DIRECTORY: service, XDG_STATE_HOME: state, LOCALAPPDATA: local } = environment;
  // Several are separated by colons.
  if (platform === "linux" && service) return service.split(":")[0];
  if (platform === "win32") return join(local || join(home, "AppData", "Local"), "fleetmark");
  return join(state || join(home, ".local", "state"), "fleetmark");
}

/** A home may be shared by many hosts. */
function nameFile(folder: string): string {
  return join(folder, `known-gpus.${hostname().replaceAll(/[^A-Za-z0-9.-]/g, "_")}.json`);
}

export async function readKnownGpus(folder: string): Promise<KnownGpus> {
  let known: KnownGpus = {};
  const reading = readFile(nameFile(folder), "utf8").then((text) => {
    known = knownGpusSchema.parse(JSON.parse(text));
  });
  await waitAtMost(reading, patienceS);
  return known;
}

export async function writeKnownGpus(folder: string, known: KnownGpus): Promise<void> {
  const path = nameFile(folder);
  const write = async (): Promise<void> => {
    await makeFolder(folder);
    await writeFile(`${path}.${process.pid}.tmp`, `${JSON.stringify(known)}\n`);
    await rename(`${path}.${process.pid}.tmp`, path);
  };
  await waitAtMost(write(), patienceS);
}
