import { availableParallelism, totalmem } from "node:os";
import type { ToolState } from "@fleetmark/shared/tools/tool-runner";
import { listUsableCores } from "../machine/cores.js";
import { readCpuModel } from "./cpu-model.js";
import { createToolRunner, type RunTool } from "./gpu-tools.js";
import { readGpus } from "./gpus.js";
import { createHostView, type HostView } from "./host-view.js";
import { findStateFolder, readKnownGpus, writeKnownGpus } from "./known-gpus.js";

/** What decides which hosts should perform alike, and how sure it is. */
export interface HostFacts {
  readonly cpuModel: string;
  /**
   * Logical processors that this process may run on, by its affinity and cpuset. A CPU quota does not change what the
   * hardware is: it is a limit, and part of the fingerprint.
   */
  readonly cores: number;
  readonly memoryBytes: number;
  /** Model names of the GPUs, by the best source that answered (gpus.ts). */
  readonly gpus: readonly string[];
  /** How each GPU tool did, and why it told nothing. */
  readonly gpuToolState: Readonly<Record<string, ToolState>>;
  readonly gpuToolReason: Readonly<Record<string, string>>;
  /** What is not as it should be, in sentences. */
  readonly findings: readonly string[];
}

export interface HostFactsOptions {
  /** Where the host's GPUs are remembered; default: a folder for state of the person or the service. */
  readonly stateFolder?: string;
  /** Ends tools that run, whose GPUs are then those of the other sources. */
  readonly signal?: AbortSignal | undefined;
  readonly view?: HostView;
  readonly runTool?: RunTool;
}

/**
 * Counts the processors that this process may run on. Node's own count also heeds quotas, from version 22 on and not
 * before, so that one host would be of two classes.
 */
export function countCores(view: HostView): number {
  return listUsableCores(view.read).length || availableParallelism();
}

/** Finds out what this host is. A tool that hangs costs some seconds, and the facts say so. Never rejects. */
export async function readHostFacts(options: HostFactsOptions = {}): Promise<HostFacts> {
  const { stateFolder = findStateFolder(), view = createHostView(), runTool = createToolRunner(options.signal) } = options;
  const before = await readKnownGpus(stateFolder);
  const { gpus, toolStates, toolReasons, findings, known } = await readGpus(view, runTool, before);
  if (JSON.stringify(known) !== JSON.stringify(before)) await writeKnownGpus(stateFolder, known);
  return {
    cpuModel: readCpuModel(view),
    cores: countCores(view),
    memoryBytes: totalmem(),
    gpus,
    gpuToolState: toolStates,
    gpuToolReason: toolReasons,
    findings,
  };
}
