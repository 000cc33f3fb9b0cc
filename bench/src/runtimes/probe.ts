import { fileURLToPath } from "node:url";
import { runTool, type ToolOutcome } from "@fleetmark/shared/tools/tool-runner";
import { z } from "zod";
import { choosePython, jaxProgram, pythonJax } from "./python-jax.js";
import { runtimes } from "./registry.js";
import { type Availability, knownDevices } from "./runtime.js";

/*
 * Asks of runtimes whether they compute on this host: each in a process of its own, which may hang in a driver or die
 * in a native binding.
 */

export type RuntimeReport = { readonly name: string } & Availability;

/** Seconds within which a runtime must have answered. */
const deadlineS = 60;

const answerSchema = z.union([
  z.object({ available: z.literal(true), device: z.enum(knownDevices), version: z.string(), note: z.string().optional() }),
  z.object({ available: z.literal(false), reason: z.string().min(1) }),
]);

export type AskRuntime = (name: string) => Promise<ToolOutcome>;

const probeProgram = fileURLToPath(new URL("./probe-main.js", import.meta.url));

function askRuntime(name: string): Promise<ToolOutcome> {
  const ask = (program: string, args: readonly string[]): Promise<ToolOutcome> =>
    runTool(`probe of ${name}`, program, args, { deadlineS });
  // On the CPU, as the suites measure it; the suite of the cards asks for a card.
  if (name === pythonJax.name) return ask(choosePython(), [jaxProgram, "--probe", "--platform", "cpu"]);
  return ask(process.execPath, [probeProgram, name]);
}

/** Reads the last line that a probe printed: libraries greet before. */
export function readAnswer(outcome: ToolOutcome): Availability {
  if (outcome.state === "absent") return { available: false, reason: `there is no ${choosePython()}` };
  if (outcome.state !== "ok") return { available: false, reason: `its probe: ${outcome.reason}` };
  const line = outcome.stdout.trim().split("\n").at(-1) ?? "";
  try {
    return answerSchema.parse(JSON.parse(line));
  } catch {
    return { available: false, reason: `its probe printed ${JSON.stringify(line.slice(0, 200))}` };
  }
}

/** Every runtime that a suite of ours measures. */
export const runtimeNames: readonly string[] = [...runtimes, pythonJax].map(({ name }) => name);

/** Says of runtimes whether this host can compute with them, and if not, why. Default: all that there are. */
export function probeRuntimes(names: readonly string[] = runtimeNames, ask: AskRuntime = askRuntime): Promise<RuntimeReport[]> {
  return Promise.all(names.map(async (name) => ({ name, ...readAnswer(await ask(name)) })));
}
