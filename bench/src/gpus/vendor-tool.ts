import { runTool, type ToolOptions, type ToolOutcome } from "@fleetmark/shared/tools/tool-runner";

/** Where tools lie that are often not on the PATH of a service. */
const usualPlaces: Readonly<Record<string, string>> = {
  "nvidia-smi": "/usr/lib/wsl/lib/nvidia-smi",
  "rocm-smi": "/opt/rocm/bin/rocm-smi",
  "amd-smi": "/opt/rocm/bin/amd-smi",
};

/**
 * Runs a vendor's tool, from PATH or where it usually lies.
 * @param name while a process under it lives, no second one is begun
 */
export async function runVendorTool(
  name: string,
  program: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<ToolOutcome> {
  const outcome = await runTool(name, program, args, options);
  const place = usualPlaces[program];
  return outcome.state === "absent" && place !== undefined ? runTool(name, place, args, options) : outcome;
}
