import type { Roots } from "../host/host-file.js";
import { type Blackout, createBlackoutSign } from "./blackout.js";
import type { GpuUse } from "./gpu-use.js";
import { createIdleWatch, type IdleWatch } from "./idle-watch.js";
import { createOtherCpuMeter } from "./other-cpu.js";
import {
  createCgroupSign,
  createCommandSign,
  createCpuSign,
  createFileSign,
  createGpuSign,
  createMemorySign,
  createPressureSign,
  type Sign,
} from "./signs.js";

/** From where on a sign counts. Shares are in percent. */
export interface IdleBounds {
  readonly other_cpu_cores: number;
  readonly cpu_pressure_percent: number;
  readonly memory_pressure_percent: number;
  readonly available_memory_percent: number;
  readonly gpu_utilization_percent: number;
  readonly unless_files: readonly string[];
  readonly unless_cgroups: readonly string[];
  readonly command: readonly string[];
}

export interface WorkOptions {
  readonly bounds: IdleBounds;
  readonly blackouts: readonly Blackout[];
  readonly roots: Roots;
  readonly gpuUse: GpuUse;
  /** The host's time, milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
}

/** Watches for every sign of the host's own work that a configuration names. */
export function watchForWork({ bounds, blackouts, roots, gpuUse, nowMs }: WorkOptions): IdleWatch {
  const steadyMs = (): number => performance.now();
  const signs: Sign[] = [
    createCpuSign(createOtherCpuMeter(roots, process.pid, steadyMs), bounds.other_cpu_cores),
    createMemorySign(roots, bounds.available_memory_percent),
    createPressureSign(roots, "memory", bounds.memory_pressure_percent),
    createPressureSign(roots, "cpu", bounds.cpu_pressure_percent),
    createGpuSign(gpuUse, bounds.gpu_utilization_percent, () => nowMs() * 1000),
    ...bounds.unless_files.map(createFileSign),
    ...bounds.unless_cgroups.map((pattern) => createCgroupSign(roots, pattern)),
    ...blackouts.map((blackout) => createBlackoutSign(blackout, nowMs)),
    ...(bounds.command.length === 0 ? [] : [createCommandSign(bounds.command)]),
  ];
  return createIdleWatch(signs, steadyMs);
}
