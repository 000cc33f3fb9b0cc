import type { ClockFacts } from "../../machine/clock.js";
import { compareSnapshots, lookBetween, readConditions, takeSnapshot } from "../../machine/disturbance.js";
import { collectGarbage, type GcFigures, judgeLeak, type LeakVerdict, watchGc } from "../../machine/memory.js";
import type { CompareTask, EpisodeTask, FirstCallTask, RepeatTask, Task } from "../../workloads/workload.js";
import type { Job, ProcessRun } from "../executor.js";
import { calibrate } from "./calibration.js";
import { timeQuad } from "./comparison.js";
import { measureEpisode } from "./episode.js";
import { measureFirstCall } from "./first-call.js";
import { createTimer, type Timer, timeFirstCall } from "./sample.js";
import { type SampledWindows, sampleInWindows } from "./window-loop.js";

/** What measuring a task gives, whatever its kind; the child adds what is known of its process. */
export type TaskMeasurement = Pick<
  ProcessRun,
  | "samples"
  | "course"
  | "iterationsPerSample"
  | "iterations"
  | "metadata"
  | "timedS"
  | "cpuS"
  | "exposure"
  | "conditions"
  | "windows"
> & { readonly gc: GcFigures; readonly leak: LeakVerdict | undefined };

/** Share of the time limit that calibration may take: the upper bound of warm-up that is not sampled. */
const calibrationShare = 0.3;

/** Rounds of the search for a leak, and how long each should take at least, in seconds. */
const leakRounds = 12;
const leakRoundS = 0.01;

/** Work whose single iteration takes longer is not searched for leaks: the rounds would cost more than the samples. */
const slowestLeakIterationS = 0.05;

/** Measures the task that a job asks for, within its time limit. Quiet must reign from here on. */
export function measureTask(task: Task, job: Job, clock: ClockFacts): Promise<TaskMeasurement> {
  switch (task.kind) {
    case "repeat":
      return measureRepeat(task, job, clock);
    case "compare":
      return measureCompare(task, job, clock);
    case "first-call":
      return measureOnce(job, () => takeFirstCall(task));
    case "episode":
      return measureOnce(job, () => takeEpisode(task));
  }
}

async function measureRepeat(task: RepeatTask, job: Job, clock: ClockFacts): Promise<TaskMeasurement> {
  const { awaited } = await timeFirstCall(task.iterate);
  const timer = createTimer(task.iterate, awaited);
  const { iterationsPerSample, secondsPerIteration } = await calibrate(timer, clock, job.limitS * calibrationShare);
  const samples = new Float64Array(job.samples);
  const store = (i: number, seconds: number): undefined => {
    samples[i] = seconds / iterationsPerSample;
  };
  const take = (i: number): undefined | Promise<undefined> => {
    const timed = timer(iterationsPerSample);
    return typeof timed === "number" ? store(i, timed) : timed.then((seconds) => store(i, seconds));
  };
  const { sampled, gc } = await sampleWatched(take, job);
  const taken = samples.slice(0, sampled.count);
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
  };
}

async function measureCompare(task: CompareTask, job: Job, clock: ClockFacts): Promise<TaskMeasurement> {
  const baseline = createTimer(task.baseline, (await timeFirstCall(task.baseline)).awaited);
  const candidate = createTimer(task.candidate, (await timeFirstCall(task.candidate)).awaited);
  const limitS = (job.limitS * calibrationShare) / 2;
  const [a, b] = [await calibrate(baseline, clock, limitS), await calibrate(candidate, clock, limitS)];
  const iterations = Math.max(a.iterationsPerSample, b.iterationsPerSample);
  const samples = new Float64Array(job.samples);
  const course = new Float64Array(job.samples);
  const take = async (i: number): Promise<undefined> => {
    const quad = await timeQuad(baseline, candidate, iterations, i % 2 === 1);
    samples[i] = quad.overheadPercent;
    course[i] = quad.seconds;
  };
  const { sampled, gc } = await sampleWatched(take, job);
  const metadata = { baseline_s: a.secondsPerIteration, candidate_s: b.secondsPerIteration };
  return {
    ...sampled,
    samples: samples.slice(0, sampled.count),
    course: course.slice(0, sampled.count),
    iterationsPerSample: 4 * iterations,
    iterations: 4 * iterations * sampled.count,
    metadata,
    gc,
    leak: undefined,
  };
}

async function sampleWatched(
  take: (i: number) => undefined | Promise<undefined>,
  job: Job,
): Promise<{ sampled: SampledWindows; gc: GcFigures }> {
  const endWatch = watchGc();
  const sampled = await sampleInWindows(take, job);
  return { sampled, gc: endWatch() };
}

/** Runs rounds of work with a collection after each, and judges what the heap does meanwhile. */
async function searchLeak(timer: Timer, secondsPerIteration: number): Promise<LeakVerdict> {
  const perRound = Math.max(1, Math.round(leakRoundS / secondsPerIteration));
  const heaps: number[] = [];
  for (let round = 0; round < leakRounds && secondsPerIteration <= slowestLeakIterationS; round++) {
    await timer(perRound);
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    heaps.push(heapUsed + external);
  }
  return judgeLeak(heaps, perRound);
}

type Once = Pick<TaskMeasurement, "iterations" | "metadata" | "gc"> & { readonly sample: number };

/** Wraps what gives one sample per process with looks at the machine before and after. */
async function measureOnce(job: Job, take: () => Promise<Once>): Promise<TaskMeasurement> {
  const before = takeSnapshot(job.core);
  const { sample, iterations, metadata, gc } = await take();
  const after = takeSnapshot(job.core);
  const samples = Float64Array.of(sample);
  return {
    samples,
    course: samples,
    iterationsPerSample: 1,
    iterations,
    metadata,
    timedS: after.timeS - before.timeS,
    cpuS: after.ownS - before.ownS,
    exposure: compareSnapshots(before, after),
    conditions: readConditions(before, after),
    windows: [lookBetween(before, after)],
    gc,
    leak: undefined,
  };
}

async function takeFirstCall(task: FirstCallTask): Promise<Once> {
  const endWatch = watchGc();
  const { firstS, steadyS, calls } = await measureFirstCall(task.call);
  return {
    sample: firstS - steadyS,
    iterations: calls,
    metadata: { first_call_s: firstS, steady_call_s: steadyS },
    gc: endWatch(),
  };
}

async function takeEpisode(task: EpisodeTask): Promise<Once> {
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
