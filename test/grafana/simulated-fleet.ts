import { type Batch, BatchBuilder } from "@fleetmark/shared/model/batch";
import type { Point } from "@fleetmark/shared/model/series";
import { isTelegrafInteger } from "#collector/store/influx/lines/telegraf-integers.js";
import { collectorNames, createChance, type FleetFacts, type Host, hardwareClasses, isSilent, nameHost } from "./fleet-parts.js";
import { simulateRuns } from "./fleet-runs.js";
import { simulateCollector, simulateTelemetry } from "./fleet-telemetry.js";

/**
 * A fleet that never was: the points that agents and collectors write, of hosts that behave, with breaches injected
 * near the end. What is measured and judged goes through the same functions as real results do; only telemetry is made
 * up here, field by field.
 */

/** Gathers points into batches of a size that the store takes in one go. */
function* batchPoints(host: string, epochUs: number, points: Iterable<Point>): Generator<Batch> {
  const samplesPerBatch = 20_000;
  let sequence = 0;
  let builder = new BatchBuilder();
  for (const point of points) {
    builder.add({ ...point, tags: { ...point.tags, host } });
    if (builder.samples >= samplesPerBatch) {
      yield builder.build({ host, epochUs, sequence: ++sequence });
      builder = new BatchBuilder();
    }
  }
  if (builder.samples > 0) yield builder.build({ host, epochUs, sequence: ++sequence });
}

/** Makes whole numbers of what agents count, such as bytes: formulas do not. */
function countWhole({ measurement, fields, ...point }: Point): Point {
  const round = ([field, value]: [string, number | string]): [string, number | string] => [
    field,
    typeof value === "number" && isTelegrafInteger(measurement, field) ? Math.round(value) : value,
  ];
  return { ...point, measurement, fields: Object.fromEntries(Object.entries(fields).map(round)) };
}

function* tick(name: string, facts: FleetFacts, sample: (nowMs: number) => Omit<Point, "timeUs">[]): Generator<Point> {
  for (let nowMs = facts.fromMs; nowMs <= facts.toMs; nowMs += facts.tickMs) {
    if (isSilent(name, nowMs, facts)) continue;
    for (const point of sample(nowMs)) yield countWhole({ ...point, timeUs: nowMs * 1000 });
  }
}

/** All that the fleet has written, source by source. */
export function* simulateFleet(facts: FleetFacts): Generator<Batch> {
  const epochUs = facts.fromMs * 1000;
  for (let index = 0; index < facts.hosts; index++) {
    const hardware = hardwareClasses[index % hardwareClasses.length];
    const host: Host = { index, name: nameHost(index), hardware, chance: createChance(index + 1) };
    yield* batchPoints(
      host.name,
      epochUs,
      tick(host.name, facts, (nowMs) => simulateTelemetry(host, nowMs, facts)),
    );
    yield* batchPoints(host.name, epochUs + 1, simulateRuns(host, facts));
  }
  for (const [i, name] of collectorNames.entries()) {
    const chance = createChance(1000 + i);
    yield* batchPoints(
      name,
      epochUs,
      tick(name, facts, (nowMs) => simulateCollector(name, nowMs, facts, chance)),
    );
  }
}
