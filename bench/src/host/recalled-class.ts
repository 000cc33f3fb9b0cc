import { totalmem } from "node:os";
import { readCpuModel } from "./cpu-model.js";
import { countCores, type HostFactsOptions } from "./facts.js";
import type { RunTool } from "./gpu-tools.js";
import { areRemembered, readGpus } from "./gpus.js";
import { nameHardwareClass } from "./hardware-class.js";
import { createHostView } from "./host-view.js";
import { findStateFolder, readKnownGpus } from "./known-gpus.js";

/** A tool that is not asked: what is known without it counts. */
const askNobody: RunTool = async () => ({ state: "timed_out", reason: "not asked yet", seconds: 0 });

/**
 * Names the hardware class without asking any tool: by kernel files, and by what tools told last of GPUs that are still
 * on the bus. Undefined where only a tool can tell.
 */
export async function recallHardwareClass(options: Omit<HostFactsOptions, "runTool"> = {}): Promise<string | undefined> {
  const { stateFolder = findStateFolder(), view = createHostView() } = options;
  const known = await readKnownGpus(stateFolder);
  if (!areRemembered(view, known)) return undefined;
  const { gpus } = await readGpus(view, askNobody, known);
  return nameHardwareClass({ cpuModel: readCpuModel(view), cores: countCores(view), memoryBytes: totalmem(), gpus });
}
