import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Fields, type Probe, parseCounts, type Roots, readProc } from "./probe.js";

/** Reads /proc/net/dev: Telegraf's net fields by interface. Counts since the interface came up. */
export function parseNetDev(text: string): Map<string, Fields> {
  const interfaces = new Map<string, Fields>();
  for (const line of text.split("\n")) {
    // An alias such as eth0:1 has a colon in its name.
    const match = /^\s*(\S+):\s*(\d.*)$/.exec(line);
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
function isReported(roots: Roots, name: string): boolean {
  let flags: number;
  try {
    flags = Number(readFileSync(join(roots.sys, "class", "net", name, "flags"), "utf8").trim());
  } catch {
    return name !== "lo";
  }
  return Number.isNaN(flags) || ((flags & flagUp) !== 0 && (flags & flagLoopback) === 0);
}

export const netProbe: Probe<"net"> = {
  name: "net",
  create(roots) {
    return (nowUs) => {
      const reported = [...parseNetDev(readProc(roots, "net", "dev"))].filter(([name]) => isReported(roots, name));
      return reported.map(([name, fields]) => ({ measurement: "net", tags: { interface: name }, timeUs: nowUs, fields }));
    };
  },
};
