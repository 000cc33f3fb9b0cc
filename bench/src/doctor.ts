import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { release, totalmem, type } from "node:os";
import { delimiter, join } from "node:path";
import type { ToolState } from "@fleetmark/shared/tools/tool-runner";
import { readHostFacts } from "./host/facts.js";
import { readClockSource, readGovernor } from "./host/fingerprint.js";
import { nameHardwareClass } from "./host/hardware-class.js";
import { createHostView } from "./host/host-view.js";
import { readLimits } from "./host/limits.js";
import { probeRuntimes, type RuntimeReport } from "./runtimes/probe.js";

const gpuTools = ["nvidia-smi", "rocm-smi", "amd-smi", "vulkaninfo"] as const;

/** What a host has and can run, and why not the rest. */
export interface HostReport {
  readonly system: string;
  /** As Node names it: `linux`, `darwin`, `win32`. What is null is not shown by every system, and by Linux in full. */
  readonly platform: NodeJS.Platform;
  readonly node: string;
  readonly cpu: { readonly model: string; readonly cores: number; readonly governor: string | null };
  readonly memory_bytes: number;
  /** Limits of control groups; `cpuset` processors of those that are online may be used. */
  readonly container: { readonly memory_bytes: number | null; readonly cpus: number | null; readonly cpuset: number | null };
  readonly hw_class: string;
  readonly gpus: readonly string[];
  /** Where each GPU tool was found; null where it was not. */
  readonly gpu_tools: Readonly<Record<string, string | null>>;
  /** How each tool that was asked did, and why it told of no GPU. */
  readonly gpu_tool_state: Readonly<Record<string, ToolState>>;
  readonly gpu_tool_reason: Readonly<Record<string, string>>;
  /** What is not as it should be, in sentences. */
  readonly findings: readonly string[];
  /** Devices that the kernel offers for GPU work. */
  readonly gpu_devices: readonly string[];
  readonly clock_source: string | null;
  readonly runtimes: readonly RuntimeReport[];
}

async function findTool(tool: string): Promise<string | null> {
  const name = process.platform === "win32" ? `${tool}.exe` : tool;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder === "") continue;
    const path = join(folder, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return null;
}

async function listGpuDevices(): Promise<string[]> {
  const names = await Promise.all(["/dev", "/dev/dri"].map((folder) => readdir(folder).catch(() => [])));
  const [dev, dri] = names;
  return [
    ...dev.filter((name) => /^(nvidia\d+|kfd)$/.test(name)).map((name) => `/dev/${name}`),
    ...dri.map((name) => `/dev/dri/${name}`),
  ].sort();
}

/** Looks at this host: hardware, limits, GPU tools, and each tensor runtime with the reason where it can't be used. */
export async function examineHost(): Promise<HostReport> {
  const view = createHostView();
  const facts = await readHostFacts({ view });
  const limits = readLimits(view);
  const tools = await Promise.all(gpuTools.map(async (name) => [name, await findTool(name)] as const));
  return {
    system: `${type()} ${release()}`,
    platform: view.platform,
    node: process.versions.node,
    cpu: { model: facts.cpuModel, cores: facts.cores, governor: readGovernor(view) ?? null },
    memory_bytes: totalmem(),
    container: { memory_bytes: limits.memoryBytes ?? null, cpus: limits.cpus ?? null, cpuset: limits.cpuset ?? null },
    hw_class: nameHardwareClass(facts),
    gpus: facts.gpus,
    gpu_tools: Object.fromEntries(tools),
    gpu_tool_state: facts.gpuToolState,
    gpu_tool_reason: facts.gpuToolReason,
    findings: facts.findings,
    gpu_devices: await listGpuDevices(),
    clock_source: readClockSource(view) ?? null,
    runtimes: await probeRuntimes(),
  };
}
