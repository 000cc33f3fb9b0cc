import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { memProbe } from "./mem.js";
import { systemProbe } from "./system.js";
import { createTelemetry } from "./telemetry.js";

interface Event {
  readonly event: string;
  readonly probe: string;
}

test("a probe that is absent or fails is told once, counted, and never stops the others", async () => {
  const proc = mkdtempSync(join(tmpdir(), "fleetmark-telemetry-"));
  const events: Event[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => events.push(JSON.parse(line)) });
  const told = (): string[] => events.splice(0).map(({ event, probe }) => `${event} ${probe}`);
  const sample = createTelemetry([memProbe, systemProbe], { proc, sys: proc }, logger);
  const names = async (): Promise<string[]> =>
    (await sample(1)).map(({ measurement, tags, fields }) =>
      [measurement, tags.probe, fields.success].filter((x) => x !== undefined).join(" "),
    );
  try {
    expect(await names()).toEqual([]);
    expect(told()).toEqual(["probe_unavailable mem", "probe_unavailable system"]);
    await names();
    expect(told()).toEqual([]);

    mkdirSync(proc, { recursive: true });
    writeFileSync(join(proc, "meminfo"), "nonsense");
    writeFileSync(join(proc, "loadavg"), "1.0 2.0 3.0 1/2 3\n");
    writeFileSync(join(proc, "uptime"), "5.00 6.00\n");
    writeFileSync(join(proc, "stat"), "cpu  1 1 1 1\ncpu0 1 1 1 1\n");
    expect(await names()).toEqual(["agent mem 0", "system", "agent system 1"]);
    expect(told()).toEqual(["probe_failed mem", "probe_recovered system"]);
    await names();
    expect(told()).toEqual([]);

    writeFileSync(join(proc, "meminfo"), "MemTotal: 10 kB\nMemFree: 5 kB\n");
    expect(await names()).toEqual(["mem", "agent mem 1", "system", "agent system 1"]);
    expect(told()).toEqual(["probe_recovered mem"]);
  } finally {
    rmSync(proc, { recursive: true });
  }
});
