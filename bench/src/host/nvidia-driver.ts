import { normalizeAddress } from "./gpu-bus.js";
import { isGpuName } from "./gpu-name.js";
import type { RunTool } from "./gpu-tools.js";
import type { HostView } from "./host-view.js";

/** What NVIDIA's kernel module tells in /proc/driver/nvidia, without any tool of NVIDIA's. */

/** A version as NVIDIA counts them: 570.86.15, 396.26. */
const versionWord = /(?<=\s)\d{2,4}(?:\.\d{1,4}){1,3}(?=\s|$)/;

/**
 * Reads the version of the module. The closed one writes `NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 …`,
 * the open one `NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build …`.
 */
export function parseNvidiaVersion(text: string): string | undefined {
  const after = /^NVRM version:.*?\bKernel Module\b(.*)$/m.exec(text)?.[1];
  return after === undefined ? undefined : versionWord.exec(after)?.[0];
}

export function readNvidiaVersion(view: HostView): string | undefined {
  const module = /^\d{2,4}(?:\.\d{1,4}){1,3}$/.exec(view.read("/sys/module/nvidia/version") ?? "")?.[0];
  return parseNvidiaVersion(view.read("/proc/driver/nvidia/version") ?? "") ?? module;
}

/** A GPU that the driver has. */
export interface DriverGpu {
  readonly address: string;
  /** Undefined as long as the GPU did not start. */
  readonly model: string | undefined;
}

const informationRoot = "/proc/driver/nvidia/gpus";

/**
 * Lists the GPUs of NVIDIA's driver; undefined where it is not loaded. Their files are read by `cat`: on a wedged
 * driver reading never ends, which must be another process's trouble.
 */
export async function listNvidiaGpus(view: HostView, run: RunTool): Promise<DriverGpu[] | undefined> {
  if (!view.list("/proc/driver/nvidia").includes("gpus")) return undefined;
  const addresses = view.list(informationRoot).filter((name) => /^[0-9a-f:.]+$/i.test(name));
  if (addresses.length === 0) return [];
  const outcome = await run(
    "cat",
    addresses.map((address) => `${informationRoot}/${address}/information`),
  );
  const models = outcome.state === "ok" ? parseInformation(outcome.stdout) : new Map<string, string>();
  return addresses.map(normalizeAddress).map((address) => ({ address, model: models.get(address) }));
}

/** Reads the models by address off `information` files, one after the other. */
export function parseInformation(text: string): Map<string, string> {
  const models = new Map<string, string>();
  let model: string | undefined;
  for (const line of text.split("\n")) {
    const [, key, value] = /^(Model|Bus Location):\s*(\S.*?)\s*$/.exec(line) ?? [];
    if (key === "Model") model = value;
    else if (key === "Bus Location" && model !== undefined && isGpuName(model)) models.set(normalizeAddress(value), model);
  }
  return models;
}
