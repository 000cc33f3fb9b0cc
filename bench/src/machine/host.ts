import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readText } from "./text-file.js";

const run = promisify(execFile);

/** What decides which hosts should perform alike. */
export interface HostFacts {
  readonly cpuModel: string;
  /** Logical processors that this process may use. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** Model names of the GPUs that a vendor's tool reports, in its order. */
  readonly gpus: readonly string[];
}

async function listGpus(): Promise<string[]> {
  const ask = async (command: string, args: string[]): Promise<string> => {
    try {
      return (await run(command, args, { timeout: 5_000 })).stdout;
    } catch {
      return "";
    }
  };
  const nvidia = (await ask("nvidia-smi", ["--query-gpu=name", "--format=csv,noheader"])).split("\n");
  const amd = [...(await ask("rocm-smi", ["--showproductname"])).matchAll(/Card [Ss]eries:\s*(.+)/g)].map((match) => match[1]);
  return [...nvidia, ...amd].map((name) => name.trim()).filter((name) => name !== "");
}

export async function hostFacts(): Promise<HostFacts> {
  return {
    cpuModel: cpus()[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    gpus: await listGpus(),
  };
}

const memoryClasses = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096];

/**
 * Returns the installed size in GiB that memory of this many bytes was sold as: firmware and kernel keep some of it.
 */
function classifyMemory(bytes: number): number {
  const gib = bytes / 2 ** 30;
  return memoryClasses.find((size) => size >= gib * 0.99) ?? Math.round(gib);
}

function makeSlug(text: string): string {
  return text
    .toLowerCase()
    .replace(/\((r|tm|c)\)|\bcpu\b|\bprocessor\b|@.*$/g, " ")
    .replace(/[^a-z0-9.]+/g, "-")
    .replace(/^-+|-+$/g, "");
}

/** Names the hardware class: CPU model, cores, memory size class and GPU models; at most 100 characters. */
export function hardwareClass(facts: HostFacts): string {
  const counts = new Map<string, number>();
  for (const gpu of facts.gpus) counts.set(makeSlug(gpu), (counts.get(makeSlug(gpu)) ?? 0) + 1);
  const gpus = [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([name, count]) => `${count}x${name}`);
  const parts = [
    makeSlug(facts.cpuModel).slice(0, 40) || "unknown",
    `${facts.cores}c`,
    `${classifyMemory(facts.memoryBytes)}g`,
    ...gpus,
  ];
  return parts.join("_").slice(0, 100);
}

/**
 * The CPU frequency governor of every processor that has one, each named once; undefined where the kernel shows none.
 */
export function readGovernor(): string | undefined {
  const root = "/sys/devices/system/cpu";
  let names: string[] = [];
  try {
    names = readdirSync(root).filter((name) => /^cpu\d+$/.test(name));
  } catch {
    return undefined;
  }
  const governors = new Set(
    names.map((name) => readText(`${root}/${name}/cpufreq/scaling_governor`)).filter((each) => each !== undefined),
  );
  return governors.size === 0 ? undefined : [...governors].sort().join(",");
}

/**
 * Memory and CPU limits of the control group (v2, else v1) that this process runs in; undefined where there is none.
 */
export function readContainerLimits(): { readonly memoryBytes: number | undefined; readonly cpus: number | undefined } {
  const path = readText("/proc/self/cgroup")?.match(/^0::(.*)$/m)?.[1] ?? "/";
  const read = (file: string): string | undefined =>
    readText(`/sys/fs/cgroup${path}/${file}`) ?? readText(`/sys/fs/cgroup/${file}`);
  const memory = Number(read("memory.max") ?? readText("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  const [quota, period] = (read("cpu.max") ?? "").split(" ").map(Number);
  const quotaV1 = Number(readText("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"));
  const periodV1 = Number(readText("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
  const share = quota > 0 ? quota / period : quotaV1 > 0 ? quotaV1 / periodV1 : undefined;
  return { memoryBytes: memory > 0 && memory < totalmem() ? memory : undefined, cpus: share };
}

/** Returns the version of an installed package: its manifest lies at or above its entry, and need not be exported. */
function readPackageVersion(name: string): string | undefined {
  let folder: string;
  try {
    folder = dirname(fileURLToPath(import.meta.resolve(name)));
  } catch {
    return undefined;
  }
  for (; folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = readText(join(folder, "package.json"));
    const parsed = manifest === undefined ? undefined : JSON.parse(manifest);
    if (parsed?.name === name) return parsed.version;
  }
  return undefined;
}

/** What may change speed on one host without a change of hardware. Keys whose value is not known here are left out. */
export function fingerprint(): Record<string, string> {
  const limits = readContainerLimits();
  const found: Record<string, string | undefined> = {
    kernel: release(),
    node: process.versions.node,
    v8: process.versions.v8,
    governor: readGovernor(),
    microcode: readText("/proc/cpuinfo")?.match(/^microcode\s*:\s*(\S+)/m)?.[1],
    clock_source: readText("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    nvidia_driver: readText("/proc/driver/nvidia/version")?.match(/Kernel Module\s+(\S+)/)?.[1],
    amdgpu_driver: readText("/sys/module/amdgpu/version"),
    transparent_hugepages: readText("/sys/kernel/mm/transparent_hugepage/enabled")?.match(/\[(\w+)\]/)?.[1],
    container_memory: limits.memoryBytes?.toString(),
    container_cpus: limits.cpus?.toString(),
    jax_js: readPackageVersion("@jax-js/jax"),
    tfjs: readPackageVersion("@tensorflow/tfjs"),
  };
  return Object.fromEntries(
    Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ""),
  );
}
