import type { Point } from "@fleetmark/shared/model/series";
import { type Roots, readHostFile } from "../host/host-file.js";
import { toTagValue } from "../host/tag-value.js";
import { type Fields, type Probe, parseCounts, sampleBy } from "./probe.js";

/** Reads /proc/net/dev: Telegraf's net fields by interface. Counts since the interface came up. */
export function parseNetDev(text: string): Map<string, Fields> {
  const interfaces = new Map<string, Fields>();
  for (const line of text.split("\n")) {
    // An alias such as eth0:1 has a colon in its name.
    const match = /^[ \t]*([^ \t]+):[ \t]*(\d.*)$/.exec(line);
    const counts = parseCounts(match?.[2].trim().split(/\s+/) ?? [], 0);
    if (match === null || counts.length < 12) continue;
    interfaces.set(match[1], {
      bytes_recv: counts[0],
      packets_recv: counts[1],
      err_in: counts[2],
      drop_in: counts[3],
      bytes_sent: counts[8],
      packets_sent: counts[9],
      err_out: counts[10],
      drop_out: counts[11],
    });
  }
  return interfaces;
}

// IFF_UP and IFF_LOOPBACK of <linux/if.h>.
const flagUp = 0x1;
const flagLoopback = 0x8;

/** As Telegraf by default: interfaces that are up, without loopback. */
async function isReported(roots: Roots, name: string): Promise<boolean> {
  let flags: number;
  try {
    flags = Number((await readHostFile(roots, "sys", "class", "net", name, "flags")).trim() || Number.NaN);
  } catch {
    return name !== "lo";
  }
  return Number.isNaN(flags) ? name !== "lo" : (flags & flagUp) !== 0 && (flags & flagLoopback) === 0;
}

/** Megabits a second; −1 where the interface has none or does not say, as Telegraf writes. */
async function readSpeed(roots: Roots, name: string): Promise<number> {
  try {
    const text = (await readHostFile(roots, "sys", "class", "net", name, "speed")).trim();
    return /^\d{1,9}$/.test(text) ? Number(text) : -1;
  } catch {
    // The kernel refuses to say it of an interface that is down, and of many that are virtual.
    return -1;
  }
}

/** The kernel asks some network cards for it, and they may take their time. */
const speedKeptMs = 60_000;

/** Reads the speed of each interface once a minute. */
function createSpeedReader(roots: Roots): (name: string) => Promise<number> {
  const known = new Map<string, { readonly speed: number; readonly readMs: number }>();
  return async (name) => {
    const nowMs = performance.now();
    for (const [each, { readMs }] of known) if (nowMs - readMs > speedKeptMs) known.delete(each);
    const speed = known.get(name)?.speed ?? (await readSpeed(roots, name));
    if (!known.has(name)) known.set(name, { speed, readMs: nowMs });
    return speed;
  };
}

export const netProbe: Probe<"net"> = {
  name: "net",
  open({ roots }) {
    const findSpeed = createSpeedReader(roots);
    return sampleBy(async (nowUs) => {
      const points: Point[] = [];
      for (const [name, fields] of parseNetDev(await readHostFile(roots, "proc", "net", "dev"))) {
        if (!(await isReported(roots, name))) continue;
        const speed = await findSpeed(name);
        points.push({ measurement: "net", tags: { interface: toTagValue(name) }, timeUs: nowUs, fields: { ...fields, speed } });
      }
      return points;
    });
  },
};
