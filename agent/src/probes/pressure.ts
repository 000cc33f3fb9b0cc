import type { Point } from "@fleetmark/shared/model/series";
import { type Roots, readHostFile } from "../host/host-file.js";
import { type Fields, type Probe, parseCount, sampleBy } from "./probe.js";

const resources = ["cpu", "memory", "io"] as const;

/**
 * Reads a file of /proc/pressure (Documentation/accounting/psi.rst): Telegraf's pressure fields by type (some, full).
 * Averages in percent of wall time, total in microseconds.
 */
export function parsePressure(text: string): Map<string, Fields> {
  const types = new Map<string, Fields>();
  for (const line of text.split("\n")) {
    const match = /^(some|full) avg10=(\d{1,3}\.\d+) avg60=(\d{1,3}\.\d+) avg300=(\d{1,3}\.\d+) total=(\d+)$/.exec(line.trim());
    const total = parseCount(match?.[5]);
    if (match === null || total === undefined) continue;
    types.set(match[1], { avg10: Number(match[2]), avg60: Number(match[3]), avg300: Number(match[4]), total });
  }
  return types;
}

async function sampleResource(roots: Roots, resource: string, timeUs: number): Promise<Point[]> {
  const types = parsePressure(await readHostFile(roots, "proc", "pressure", resource));
  return [...types].map(([type, fields]) => ({ measurement: "pressure", tags: { resource, type }, timeUs, fields }));
}

export const pressureProbe: Probe<"pressure"> = {
  name: "pressure",
  open({ roots }) {
    return sampleBy(async (nowUs) => {
      const samples = await Promise.allSettled(resources.map((resource) => sampleResource(roots, resource, nowUs)));
      const points = samples.flatMap((sample) => (sample.status === "fulfilled" ? sample.value : []));
      const [failed] = samples.filter((sample) => sample.status === "rejected");
      // A container may show some of the files alone.
      if (points.length === 0 && failed !== undefined) throw failed.reason;
      return points;
    });
  },
};
