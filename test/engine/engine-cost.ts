/** What the engine itself costs: an empty iteration, sample by sample, and the time between samples. */
import { median } from "@fleetmark/shared/stats/quantiles";
import { createTimer } from "#bench/executors/child/sample.js";
import { sampleInWindows } from "#bench/executors/child/window-loop.js";
import { measureClock, readClock } from "#bench/machine/clock.js";
import { describeHost } from "./pairs.js";

const samples = 200_000;
const rounds = 9;
const { resolutionS, costS } = measureClock();
const timer = createTimer(() => 1, false) as (iterations: number) => number;
timer(1e6);

const betweenNs: number[] = [];
const emptyNs: number[] = [];
const iterationNs: number[] = [];
for (let round = 0; round < rounds; round++) {
  const times = new Float64Array(samples);
  const take = (i: number): undefined => {
    times[i] = timer(1);
  };
  const started = readClock();
  const { count } = await sampleInWindows(take, { samples, fewestSamples: samples, limitS: 60, core: undefined });
  const totalS = readClock() - started;
  const timedS = times.reduce((sum, time) => sum + time, 0);
  betweenNs.push(((totalS - timedS) / count) * 1e9);
  emptyNs.push(median(times) * 1e9);
  iterationNs.push((timer(1e7) / 1e7) * 1e9);
}
const show = (values: readonly number[]): string =>
  `${median(values).toFixed(2)} ns (${Math.min(...values).toFixed(2)} … ${Math.max(...values).toFixed(2)} over ${rounds} rounds)`;
process.stdout.write(
  `${await describeHost()}\n` +
    `clock: resolution ${(resolutionS * 1e9).toFixed(0)} ns, a reading ${(costS * 1e9).toFixed(0)} ns\n` +
    `within a sample, whatever it times: ${show(emptyNs)}, against samples of 500 µs or more\n` +
    `an iteration that does nothing: ${show(iterationNs)}\n` +
    `between two samples, not timed: ${show(betweenNs)}\n`,
);
