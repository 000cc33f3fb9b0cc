import { isSteady } from "../judgement/comparison.js";
import { chooseScale, expectResult, hasFigure } from "../judgement/expectation.js";
import { describeDifference, type Environment } from "../judgement/explanation.js";
import { chooseConfidence } from "../judgement/judge-result.js";
import { rollBaseline } from "../judgement/rolling-baseline.js";
import type { Result } from "../model/result.js";
import { detectSeriesChanges } from "../stats/changes/series-changes.js";
import { scaleBy } from "../stats/intervals.js";
import type { TrendChart } from "./trend-chart.js";

/** Fewer results are no course. */
const fewestResults = 2;
/** The band holds what 95 of 100 results are, about. */
const bandDeviations = 2;

/** An environment of fewer results is compared with the one before it, as the judge does. */
const fewestOfEnvironment = 3;

/** From which result on the environment is what it is now, or has been for long enough. */
function chooseStart(count: number, upgrades: TrendChart["environments"]): number {
  const starts = upgrades.map(({ index }) => index).filter((index) => count - index >= fewestOfEnvironment);
  return starts.at(-1) ?? 0;
}

/** What the next result would be compared with. */
function findBaseline(results: readonly Result[]): TrendChart["baseline"] {
  const { results: kept } = rollBaseline(results, chooseConfidence(results.at(-1)?.every_s, 1));
  if (kept.length === 0) return undefined;
  const { scale, centre, deviation } = expectResult(kept);
  const { restore } = scaleBy(scale);
  const reach = bandDeviations * deviation;
  return { level: restore(centre), low: restore(centre - reach), high: restore(centre + reach) };
}

function findChanges(results: readonly Result[]): number[] {
  const { project } = scaleBy(chooseScale(results[0]));
  return detectSeriesChanges(results.map(({ median }) => project(median))).map(({ index }) => index);
}

/**
 * Lays out the course of a benchmark on a host.
 * @param results of one benchmark on one host, in order of time
 * @param environments of runs, by their ids
 * @returns undefined where fewer than two settled
 */
export function layOutCourse(
  results: readonly Result[],
  environments: ReadonlyMap<string, Environment>,
  note = "",
): TrendChart | undefined {
  const usable = results.filter((result) => isSteady(result) && hasFigure(result));
  const [first] = usable;
  if (first === undefined || usable.length < fewestResults) return undefined;
  const upgrades = usable.slice(1).flatMap((result, i) => {
    const before = environments.get(usable[i].run);
    const what = describeDifference(before ?? {}, environments.get(result.run) ?? {});
    return what.length === 0 ? [] : [{ index: i + 1, what: what.join(", ") }];
  });
  return {
    title: `${first.name} on ${first.host}`,
    note,
    unit: first.unit,
    points: usable.map(({ time_us, median, median_low, median_high }) => ({
      timeUs: time_us,
      value: median,
      low: median_low,
      high: median_high,
    })),
    baseline: findBaseline(usable.slice(chooseStart(usable.length, upgrades))),
    changes: findChanges(usable),
    environments: upgrades,
  };
}
