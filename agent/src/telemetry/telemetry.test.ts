import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Point } from "@fleetmark/shared/model/series";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, test, vi } from "vitest";
import { memProbe } from "../probes/mem.js";
import type { OpenProbe, Probe } from "../probes/probe.js";
import { systemProbe } from "../probes/system.js";
import { createProbeRun, type ProbeRun, takeTurn } from "./probe-run.js";
import { startTelemetry, type TelemetryOptions } from "./telemetry.js";

interface Event {
  readonly event: string;
  readonly probe: string;
}

let events: Event[];
let points: Point[];
let nowUs: number;
const logger = pino({ level: "trace" }, { write: (line: string) => events.push(JSON.parse(line)) });

beforeEach(() => {
  [events, points, nowUs] = [[], [], 0];
});

const told = (): string[] => events.splice(0).map(({ event, probe }) => `${event} ${probe}`);

/** What was recorded since the last time: measurements, and of the telemetry's own how it went. */
const recorded = (): string[] =>
  points.splice(0).map(({ measurement, tags, fields }) => {
    return [measurement, tags.probe, fields.success, fields.state, fields.turns_skipped].filter((x) => x !== undefined).join(" ");
  });

function runProbe(name: string, probe: OpenProbe): ProbeRun {
  const stamp = (): number => {
    nowUs += 1;
    return nowUs;
  };
  return createProbeRun({ name, probe, logger, intervalS: 10, stamp, record: (more) => points.push(...more) });
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turn(...runs: ProbeRun[]): Promise<void> {
  for (const run of runs) {
    takeTurn(run);
    await settle();
  }
}

test("a probe that is absent or fails is told once, counted, and never stops the others", async () => {
  const proc = mkdtempSync(join(tmpdir(), "fleetmark-telemetry-"));
  const context = { roots: { proc, sys: proc }, logger };
  const runs = [memProbe, systemProbe].map((probe) => runProbe(probe.name, probe.open(context)));
  try {
    await turn(...runs);
    expect(recorded()).toEqual(["agent mem unavailable", "agent system unavailable"]);
    expect(told()).toEqual(["probe_unavailable mem", "probe_unavailable system"]);
    await turn(...runs);
    expect(recorded()).toEqual([]);
    expect(told()).toEqual([]);

    mkdirSync(proc, { recursive: true });
    writeFileSync(join(proc, "meminfo"), "nonsense");
    writeFileSync(join(proc, "loadavg"), "1.0 2.0 3.0 1/2 3\n");
    writeFileSync(join(proc, "uptime"), "5.00 6.00\n");
    writeFileSync(join(proc, "stat"), "cpu  1 1 1 1\ncpu0 1 1 1 1\n");
    await turn(...runs);
    expect(recorded()).toEqual(["agent mem 0 failed", "system", "agent system 1 ok"]);
    expect(told()).toEqual(["probe_failed mem", "probe_recovered system"]);
    await turn(...runs);
    expect(recorded()).toEqual(["agent mem 0 failed", "system", "agent system 1"]);
    expect(told()).toEqual([]);

    writeFileSync(join(proc, "meminfo"), "MemTotal: 10 kB\nMemFree: 5 kB\n");
    await turn(...runs);
    expect(recorded()).toEqual(["mem", "agent mem 1 ok", "system", "agent system 1"]);
    expect(told()).toEqual(["probe_recovered mem"]);
  } finally {
    rmSync(proc, { recursive: true });
  }
});

describe("a probe", () => {
  const point = (timeUs: number): Point => ({ measurement: "slow", tags: {}, timeUs, fields: { a: 1 } });

  it("that has not answered skips its turns, counts them, and is stamped when its sample began", async () => {
    let answer = (_: Point[]): void => {};
    let begun = 0;
    const run = runProbe("slow", {
      sample: (timeUs) => {
        begun++;
        return new Promise<Point[]>((resolve) => {
          answer = () => resolve([point(timeUs)]);
        });
      },
      close: () => {},
    });
    await turn(run, run, run);
    expect(begun).toBe(1);
    expect(recorded()).toEqual(["agent slow 0 late 1", "agent slow 0 late 2"]);
    expect(told()).toEqual(["probe_failed slow"]);
    answer([]);
    await settle();
    expect(points.map(({ timeUs }) => timeUs)).toEqual([1, 1]);
    expect(recorded()).toEqual(["slow", "agent slow 1 ok 2"]);
    expect(told()).toEqual(["probe_recovered slow"]);
  });

  it("that fails again and again is asked ever more seldom, and at once again when it works", async () => {
    let tries = 0;
    let works = false;
    const run = runProbe("broken", {
      sample: (timeUs) => {
        tries++;
        if (works) return [point(timeUs)];
        throw new Error("broken");
      },
      close: () => {},
    });
    await turn(...Array(3).fill(run));
    expect(tries).toBe(3);
    await turn(...Array(320).fill(run));
    expect(tries).toBeLessThan(20);
    expect(told()).toEqual(["probe_failed broken"]);
    works = true;
    await turn(...Array(33).fill(run));
    tries = 0;
    await turn(...Array(5).fill(run));
    expect(tries).toBe(5);
    expect(told()).toEqual(["probe_recovered broken"]);
  });

  it("that finds nothing says so once", async () => {
    const run = runProbe("nothing", { sample: () => [], close: () => {} });
    await turn(...Array(10).fill(run));
    expect(told()).toEqual(["probe_unavailable nothing"]);
    expect(recorded().slice(0, 3)).toEqual(["agent nothing 1 ok", "agent nothing 1", "agent nothing 1 empty"]);
  });
});

describe("telemetry", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const makeProbe = (name: string, sample: OpenProbe["sample"], close = () => {}): Probe => ({
    name,
    open: () => ({ sample, close }),
  });

  function start(probes: readonly Probe[], more: Partial<TelemetryOptions> = {}) {
    return startTelemetry({
      probes,
      roots: { proc: "", sys: "" },
      logger,
      chooseInterval: (name) => (name === "rare" ? 60 : 10),
      pass: async () => {},
      stamp: () => Math.round(performance.now() * 1000),
      record: (more) => points.push(...more),
      ...more,
    });
  }

  it("samples probes beside one another, each at its interval; one that hangs delays no other", async () => {
    const counts: Record<string, number> = { hangs: 0, often: 0, rare: 0 };
    const count = (name: string): Probe =>
      makeProbe(name, () => {
        counts[name]++;
        return name === "hangs" ? new Promise(() => {}) : [];
      });
    const telemetry = start([count("hangs"), count("often"), count("rare")]);
    await vi.advanceTimersByTimeAsync(119_000);
    expect(counts).toEqual({ hangs: 1, often: 12, rare: 2 });
    await telemetry.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(counts).toEqual({ hangs: 1, often: 12, rare: 2 });
  });

  it("takes turns that fall together within a moment of each other", async () => {
    const probe = (name: string): Probe =>
      makeProbe(name, (timeUs) => [{ measurement: name, tags: {}, timeUs, fields: { a: 1 } }]);
    const telemetry = start([probe("a"), probe("b"), probe("c")]);
    await vi.advanceTimersByTimeAsync(30_500);
    const seconds = points.filter(({ measurement }) => measurement !== "agent").map(({ timeUs }) => Math.floor(timeUs / 1e6));
    expect([...new Set(seconds)].length).toBe(4);
    await telemetry.stop();
  });

  it("begins no sample while something is timed, and closes its probes at the end", async () => {
    let pass = (): void => {};
    let [samples, closed] = [0, 0];
    const probe = makeProbe(
      "a",
      () => {
        samples++;
        return [];
      },
      () => void closed++,
    );
    const telemetry = start([probe], {
      pass: () =>
        new Promise((resolve) => {
          pass = resolve;
        }),
    });
    await vi.advanceTimersByTimeAsync(25_000);
    expect(samples).toBe(0);
    pass();
    await vi.advanceTimersByTimeAsync(0);
    expect(samples).toBe(1);
    const stopped = telemetry.stop();
    expect(closed).toBe(1);
    pass();
    await stopped;
  });
});
