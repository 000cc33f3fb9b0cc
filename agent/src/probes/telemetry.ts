import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { Point } from "@fleetmark/shared/model/series";
import type { Probe, Roots, Sample } from "./probe.js";

/** A probe that takes longer is given up for this time, and not asked again before it has answered. */
const probeTimeoutMs = 5000;

/**
 * What the file system answers when a host does not offer a file. EOPNOTSUPP: /proc/pressure where PSI is switched
 * off.
 */
const absences = new Set(["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EOPNOTSUPP"]);

interface Source {
  readonly name: string;
  readonly sample: Sample;
  busy: boolean;
  /** What is wrong with it, as it was last logged; empty while it works. */
  complaint: string;
}

async function takeSample(source: Source, nowUs: number): Promise<Point[]> {
  if (source.busy) throw new FleetmarkError("PROBE_FAILED", "it still waits for an earlier sample");
  source.busy = true;
  const answer = (async () => source.sample(nowUs))().finally(() => {
    source.busy = false;
  });
  return new Promise((resolve, reject) => {
    const late = new FleetmarkError("PROBE_FAILED", `no answer within ${probeTimeoutMs / 1000} s`);
    const timer = setTimeout(() => reject(late), probeTimeoutMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * Joins probes into one sampler, in order and one at a time. A probe that fails never stops the others; it is logged
 * when it begins to fail and when it recovers, and each sample says by `agent` duration_s and success how it went. A
 * probe whose files this host lacks is logged once as unavailable and gives nothing.
 */
export function createTelemetry(probes: readonly Probe[], roots: Roots, logger: Logger): (nowUs: number) => Promise<Point[]> {
  const sources = probes.map((probe): Source => {
    return { name: probe.name, sample: probe.create(roots), busy: false, complaint: "" };
  });

  const complain = (source: Source, thrown: unknown, absent: boolean): void => {
    const message = errorMessage(thrown);
    if (message === source.complaint) return;
    source.complaint = message;
    if (absent) logger.info({ event: "probe_unavailable", code: "PROBE_UNAVAILABLE", probe: source.name }, message);
    else logger.warn({ event: "probe_failed", code: "PROBE_FAILED", probe: source.name }, message);
  };

  const sampleSource = async (source: Source, nowUs: number): Promise<Point[]> => {
    const begin = performance.now();
    let points: Point[] = [];
    let success = 1;
    try {
      points = await takeSample(source, nowUs);
      if (source.complaint !== "") logger.info({ event: "probe_recovered", probe: source.name }, "the probe works again");
      source.complaint = "";
    } catch (thrown) {
      const absent = absences.has(systemErrorCode(thrown) ?? "");
      complain(source, thrown, absent);
      if (absent) return [];
      success = 0;
    }
    const fields = { duration_s: (performance.now() - begin) / 1000, success };
    return [...points, { measurement: "agent", tags: { probe: source.name }, timeUs: nowUs, fields }];
  };

  return async (nowUs) => {
    const points: Point[] = [];
    for (const source of sources) points.push(...(await sampleSource(source, nowUs)));
    return points;
  };
}
