import type { ToolOutcome, ToolState } from "@fleetmark/shared/tools/tool-runner";
import { z } from "zod";
import { runVendorTool } from "../gpus/vendor-tool.js";
import { normalizeAddress } from "./gpu-bus.js";
import { isGpuName, isNvidiaName } from "./gpu-name.js";

/*
 * GPUs as the vendors' tools tell of them. What they print is taken for nothing but names: on a broken driver they
 * print their troubles on stdout, end with 0, or never end.
 */

/** Runs a program within some seconds; a program of the same name that has not ended is not begun again. */
export type RunTool = (name: string, args: readonly string[]) => Promise<ToolOutcome>;

const deadlineS = 5;
const maxBytes = 2 ** 20;

/** Returns what runs tools until the signal aborts. */
export function createToolRunner(signal: AbortSignal | undefined): RunTool {
  const options = { deadlineS, maxBytes, signal };
  return (name, args) => runVendorTool(name, name, args, options);
}

export interface ToolGpu {
  readonly name: string;
  /** On the PCI bus, where the tool tells it. */
  readonly address: string | undefined;
}

/** What a tool told: GPUs if its state is `ok`, perhaps none; else why it told nothing. */
export interface ToolReport {
  readonly tool: string;
  readonly state: ToolState;
  readonly reason: string | undefined;
  readonly gpus: readonly ToolGpu[];
  /** Whether something was left out: how the GPUs are partitioned, or a line that makes no sense. */
  readonly isPartial: boolean;
}

function fail(tool: string, { state, reason }: { state: ToolState; reason: string }): ToolReport {
  return { tool, state, reason, gpus: [], isPartial: false };
}

/** Tells what a tool printed if some of it makes sense, or if it printed nothing. */
function understand(tool: string, stdout: string, gpus: readonly ToolGpu[], isPartial: boolean): ToolReport {
  const said = stdout.trim().replaceAll(/\s+/g, " ");
  if (gpus.length === 0 && said !== "") {
    return fail(tool, { state: "failed", reason: `it printed what makes no sense: ${JSON.stringify(said.slice(0, 120))}` });
  }
  return { tool, state: "ok", reason: undefined, gpus, isPartial };
}

/** Reads a line of `name, pci.bus_id`; a name alone counts if it begins as NVIDIA's do. */
function parseNvidiaLine(line: string): ToolGpu | undefined {
  const [, named, address] = /^(.+), *([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])$/i.exec(line) ?? [];
  if (named !== undefined) return isGpuName(named) ? { name: named, address: normalizeAddress(address) } : undefined;
  return isNvidiaName(line) ? { name: line, address: undefined } : undefined;
}

export function parseNvidiaList(stdout: string): { readonly gpus: ToolGpu[]; readonly strange: string[] } {
  const lines = stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const gpus: ToolGpu[] = [];
  const strange: string[] = [];
  for (const line of lines) {
    const gpu = parseNvidiaLine(line);
    if (gpu === undefined) strange.push(line);
    else gpus.push(gpu);
  }
  return { gpus, strange };
}

/**
 * Reads the partitions of each GPU off `nvidia-smi -L` (NVIDIA MIG User Guide): `7x1g.10gb`, or empty. A partitioned
 * GPU performs unlike a whole one.
 */
export function parseMigList(stdout: string): string[] {
  const gpus: Map<string, number>[] = [];
  for (const line of stdout.split("\n")) {
    if (/^GPU \d+: /.test(line)) gpus.push(new Map());
    const profile = /^\s+MIG (\d+(?:c\.\d+)?g\.\d+gb(?:\+[\w.]+)?)\s+Device\s+\d+:/.exec(line)?.[1];
    const counts = gpus.at(-1);
    if (profile !== undefined && counts !== undefined) counts.set(profile, (counts.get(profile) ?? 0) + 1);
  }
  return gpus.map((counts) =>
    [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([profile, count]) => `${count}x${profile}`)
      .join("+"),
  );
}

export async function askNvidia(run: RunTool): Promise<ToolReport> {
  const tool = "nvidia-smi";
  const listed = await run(tool, ["--query-gpu=name,pci.bus_id", "--format=csv,noheader"]);
  if (listed.state !== "ok") return fail(tool, listed);
  const { gpus, strange } = parseNvidiaList(listed.stdout);
  if (gpus.length === 0) return understand(tool, listed.stdout, [], false);
  const partitions = await run(tool, ["-L"]);
  const migs = partitions.state === "ok" ? parseMigList(partitions.stdout) : [];
  const named = gpus.map(({ name, address }, i) => ({ name: migs[i] ? `${name} MIG ${migs[i]}` : name, address }));
  return understand(tool, listed.stdout, named, partitions.state !== "ok" || strange.length > 0);
}

/** Reads `GPU[0] : Card Series: AMD Instinct MI300X` of rocm-smi. */
export function parseRocmList(stdout: string): ToolGpu[] {
  const names = [...stdout.matchAll(/^GPU\[\d+\]\s*:\s*Card [Ss]eries:\s*(.+)$/gm)].map(([, name]) => name.trim());
  return names.filter(isGpuName).map((name) => ({ name, address: undefined }));
}

const amdGpuSchema = z.object({ asic: z.object({ market_name: z.string() }) });
const amdListSchema = z.union([
  z.array(amdGpuSchema),
  z.object({ gpu_data: z.array(amdGpuSchema) }).transform((all) => all.gpu_data),
]);

/** Reads what `amd-smi static --asic --json` prints: a list, since ROCm 6.4 under `gpu_data`. */
export function parseAmdList(stdout: string): ToolGpu[] {
  try {
    const list = amdListSchema.parse(JSON.parse(stdout));
    return list.flatMap(({ asic }) => (isGpuName(asic.market_name) ? [{ name: asic.market_name, address: undefined }] : []));
  } catch {
    return [];
  }
}

/** Asks rocm-smi and, where it tells nothing, amd-smi, which ROCm 7 has alone. */
export async function askAmd(run: RunTool): Promise<ToolReport[]> {
  const rocm = await run("rocm-smi", ["--showproductname"]);
  const gpus = rocm.state === "ok" ? parseRocmList(rocm.stdout) : [];
  const first = rocm.state === "ok" ? understand("rocm-smi", rocm.stdout, gpus, false) : fail("rocm-smi", rocm);
  if (gpus.length > 0) return [first];
  const amd = await run("amd-smi", ["static", "--asic", "--json"]);
  const second = amd.state === "ok" ? understand("amd-smi", amd.stdout, parseAmdList(amd.stdout), false) : fail("amd-smi", amd);
  return [first, second];
}
