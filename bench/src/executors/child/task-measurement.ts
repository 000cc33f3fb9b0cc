import type { Metadata } from "@fleetmark/shared/model/result";
import type { ClockFacts } from "../../machine/clock.js";
import { addWindow, beginWatch, summarizeWatch, type WatchSummary } from "../../machine/watch.js";
import type { CompareTask, EpisodeTask, FirstCallTask, RepeatTask, Task } from "../../workloads/workload.js";
import type { GcFigures, Job, Latency, LeakVerdict } from "../executor.js";
import { calibrate, chooseIterations } from "./calibration.js";
import { blocksPerQuad, timeQuad } from "./comparison.js";
import { measureEpisode } from "./episode.js";
import { measureFirstCall } from "./first-call.js";
import { watchGc } from "./garbage.js";
import { measureLatency } from "./latency.js";
import { searchLeak } from "./leak.js";
import { lookAround } from "./look.js";
import { createTimer, timeFirstCall } from "./sample.js";
import { type SampledWindows, sampleInWindows } from "./window-loop.js";

/** What measuring a task gives, whatever its kind; the child adds what is known of its process. */
export interface TaskMeasurement extends WatchSummary {
  readonly samples: Float64Array;
  readonly course: Float64Array;
  readonly iterationsPerSample: number;
  readonly iterations: number;
  readonly metadata: Metadata;
  readonly gc: GcFigures;
  readonly leak: LeakVerdict | undefined;
  readonly latency?: Latency | undefined;
}

/** Share of the time limit that calibration may take: the upper bound of warm-up that is not sampled. */
const calibrationShare = 0.3;

/** Seconds that calibration may take where the iterations of a sample are known: it is a warm-up then. */
const pinnedCalibrationS = 0.02;

function limitCalibration({ limitS, iterationsPerSample }: Job): number {
  const share = limitS * calibrationShare;
  return iterationsPerSample === undefined ? share : Math.min(share, pinnedCalibrationS);
}

/** Measures the task that a job asks for, within its time limit. Quiet must reign from here on. */
export function measureTask(task: Task, job: Job, clock: ClockFacts): Promise<TaskMeasurement> {
  switch (task.kind) {
    case "repeat":
      return measureRepeat(task, job, clock);
    case "compare":
      return measureCompare(task, job, clock);
    case "first-call":
      return measureOnce(job, () => sampleFirstCall(task));
    case "episode":
      return measureOnce(job, () => sampleEpisode(task));
  }
}

async function measureRepeat(task: RepeatTask, job: Job, clock: ClockFacts): Promise<TaskMeasurement> {
  const { awaited } = await timeFirstCall(task.iterate);
  const timer = createTimer(task.iterate, awaited);
  // Where the iterations are known, a stall can mislead nobody.
  const calibration = await calibrate(timer, clock, limitCalibration(job), job.iterationsPerSample === undefined ? 2 : 1);
  const { secondsPerIteration } = calibration;
  const iterationsPerSample = chooseIterations(calibration, clock, job.iterationsPerSample);
  const samples = new Float64Array(job.samples);
  const store = (i: number, seconds: number): undefined => {
    samples[i] = seconds / iterationsPerSample;
  };
  const sample = (i: number): undefined | Promise<undefined> => {
    const timed = timer(iterationsPerSample);
    return typeof timed === "number" ? store(i, timed) : timed.then((seconds) => store(i, seconds));
  };
  const { sampled, gc } = await sampleWatched(sample, job);
  const taken = samples.slice(0, sampled.count);
  const latency = task.deadlineS === undefined ? undefined : await measureLatency(timer, clock, task.deadlineS);
  const leak = job.checkLeak ? await searchLeak(timer, secondsPerIteration) : undefined;
  return {
    ...sampled,
    samples: taken,
    course: taken,
    iterationsPerSample,
    iterations: sampled.count * iterationsPerSample,
    metadata: {},
    gc,
    leak,
    latency,
  };
}

async function measureCompare(task: CompareTask, job: Job, clock: ClockFacts): Promise<TaskMeasurement> {
  const baseline = createTimer(task.baseline, (await timeFirstCall(task.baseline)).awaited);
  const candidate = createTimer(task.candidate, (await timeFirstCall(task.candidate)).awaited);
  const limitS = limitCalibration(job) / 2;
  const [a, b] = [await calibrate(baseline, clock, limitS), await calibrate(candidate, clock, limitS)];
  const slower = a.iterationsPerSample > b.iterationsPerSample ? a : b;
  const iterations = chooseIterations(slower, clock, job.iterationsPerSample && job.iterationsPerSample / blocksPerQuad);
  const samples = new Float64Array(job.samples);
  const course = new Float64Array(job.samples);
  const sample = async (i: number): Promise<undefined> => {
    const quad = await timeQuad(baseline, candidate, iterations, i % 2 === 1);
    samples[i] = quad.overheadPercent;
    course[i] = quad.seconds;
  };
  const { sampled, gc } = await sampleWatched(sample, job);
  const metadata = { baseline_s: a.secondsPerIteration, candidate_s: b.secondsPerIteration };
  return {
    ...sampled,
    samples: samples.slice(0, sampled.count),
    course: course.slice(0, sampled.count),
    iterationsPerSample: blocksPerQuad * iterations,
    iterations: blocksPerQuad * iterations * sampled.count,
    metadata,
    gc,
    leak: undefined,
  };
}

/** Takes samples with an eye on the garbage collector. */
async function sampleWatched(
  sample: (i: number) => undefined | Promise<undefined>,
  job: Job,
): Promise<{ sampled: SampledWindows; gc: GcFigures }> {
  const endWatch = watchGc();
  const sampled = await sampleInWindows(sample, job);
  return { sampled, gc: endWatch() };
}

type Once = Pick<TaskMeasurement, "iterations" | "metadata" | "gc"> & { readonly sample: number };

/** Wraps what gives one sample per process with looks at the machine before and after. */
async function measureOnce(job: Job, measure: () => Promise<Once>): Promise<TaskMeasurement> {
  const watch = beginWatch(lookAround(job.core));
  const { sample, ...measured } = await measure();
  addWindow(watch, lookAround(job.core));
  const samples = Float64Array.of(sample);
  return {
    ...summarizeWatch(watch, watch.latest),
    ...measured,
    samples,
    course: samples,
    iterationsPerSample: 1,
    leak: undefined,
  };
}

async function sampleFirstCall(task: FirstCallTask): Promise<Once> {
  const endWatch = watchGc();
  const { firstS, steadyS, calls } = await measureFirstCall(task.call);
  return {
    sample: firstS - steadyS,
    iterations: calls,
    metadata: { first_call_s: firstS, steady_call_s: steadyS },
    gc: endWatch(),
  };
}

async function sampleEpisode(task: EpisodeTask): Promise<Once> {
  const episode = await measureEpisode(task.episode);
  const metadata = {
    rss_before_mb: episode.residentBeforeBytes / 1e6,
    rss_peak_mb: episode.peakBytes / 1e6,
    rss_peak_reset: episode.peakReset,
    retained_mb: episode.retainedBytes / 1e6,
    episode_s: episode.seconds,
  };
  const sample = Math.max(0, episode.peakBytes - episode.residentBeforeBytes) / 1e6;
  return { sample, iterations: 1, metadata, gc: episode.gc };
}
