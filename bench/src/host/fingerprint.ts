import { release } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readText } from "../machine/text-file.js";
import { createHostView, type HostView } from "./host-view.js";
import { readLimits } from "./limits.js";
import { readNvidiaVersion } from "./nvidia-driver.js";

/**
 * The CPU frequency governor of every processor that has one, each named once; undefined where the kernel shows none.
 */
export function readGovernor(view: HostView): string | undefined {
  const root = "/sys/devices/system/cpu";
  const names = view.list(root).filter((name) => /^cpu\d+$/.test(name));
  const governors = new Set(
    names.map((name) => view.read(`${root}/${name}/cpufreq/scaling_governor`)).filter((each) => /^\w+$/.test(each ?? "")),
  );
  return governors.size === 0 ? undefined : [...governors].sort().join(",");
}

export function readClockSource(view: HostView): string | undefined {
  return view.read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

/** Returns the version of an installed package: its manifest lies at or above its entry, and need not be exported. */
function readPackageVersion(name: string): string | undefined {
  try {
    let folder = dirname(fileURLToPath(import.meta.resolve(name)));
    for (; folder !== dirname(folder); folder = dirname(folder)) {
      const manifest = readText(join(folder, "package.json"));
      const parsed = manifest === undefined ? undefined : JSON.parse(manifest);
      if (parsed?.name === name) return parsed.version;
    }
  } catch {
    // Not installed, or not whole: then it is not what ran.
  }
  return undefined;
}

/** One word, perhaps with marks: what kernels and packages call a version, a governor, a source. */
const word = /^[\w.:,+~()-]{1,100}$/;

/**
 * Reads what may change speed on one host without a change of hardware. What is not known here, or reads as no word, is
 * left out: a wrong word would look like a change of the environment.
 */
export function readFingerprint(view: HostView = createHostView()): Record<string, string> {
  const limits = readLimits(view);
  const found: Record<string, string | undefined> = {
    kernel: release().replaceAll(/\s+/g, "-"),
    node: process.versions.node,
    v8: process.versions.v8,
    governor: readGovernor(view),
    microcode: view.read("/proc/cpuinfo")?.match(/^microcode[ \t]*:[ \t]*(0x[0-9a-f]+)[ \t]*$/im)?.[1],
    clock_source: readClockSource(view),
    nvidia_driver: readNvidiaVersion(view),
    amdgpu_driver: view.read("/sys/module/amdgpu/version")?.match(/^\d[\w.-]*$/)?.[0],
    transparent_hugepages: view.read("/sys/kernel/mm/transparent_hugepage/enabled")?.match(/\[(\w+)\]/)?.[1],
    container_memory: limits.memoryBytes?.toString(),
    container_cpus: limits.cpus?.toString(),
    jax_js: readPackageVersion("@jax-js/jax"),
    tfjs: readPackageVersion("@tensorflow/tfjs"),
  };
  return Object.fromEntries(
    Object.entries(found).filter((entry): entry is [string, string] => typeof entry[1] === "string" && word.test(entry[1])),
  );
}
