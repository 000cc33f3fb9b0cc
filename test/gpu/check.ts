import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { examineHost, findSuite, matchGlob, nameBenchmark, runSuite, type Suite } from "@fleetmark/bench";
import { parseNvidiaLog } from "@fleetmark/bench/gpus";
import type { Result } from "@fleetmark/shared/model/result";
import type { Point } from "@fleetmark/shared/model/series";
import { runTool, type ToolOutcome } from "@fleetmark/shared/tools/tool-runner";
import { openNvidiaSmi } from "#agent/probes/nvidia-cards.js";
import { FailedSample, type OpenProbe } from "#agent/probes/probe.js";
import { compareFields, queryNames } from "./csv-fields.js";

/**
 * Looks at what Fleetmark sees and measures on a host with a GPU, in under eight minutes and without a network: the
 * doctor, the probe beside the tool's own table, the GPU suite, and the WebGPU runtime. The last line on standard output
 * is one JSON report; `--output FOLDER` keeps it with everything that the tool printed.
 */

const { values } = parseArgs({
  options: {
    output: { type: "string", default: "gpu-check-report" },
    seconds: { type: "string", default: "300" },
    filter: { type: "string", default: "*" },
  },
});
const startedMs = performance.now();
const elapsed = (): number => Math.round((performance.now() - startedMs) / 100) / 10;
const say = (text: string): void => void process.stderr.write(`${elapsed().toFixed(1).padStart(6)} s  ${text}\n`);
const keep = (name: string, text: string): void => writeFileSync(join(values.output, name), text);
const ending = new AbortController();
const report: Record<string, unknown> = {};
/** Kept as it grows: whoever is cut off has what was measured before. */
const note = (part: string, told: unknown): void => {
  report[part] = told;
  keep("report.json", `${JSON.stringify(report, null, 2)}\n`);
};

async function ask(...args: string[]): Promise<ToolOutcome> {
  return runTool(`nvidia-smi ${args.join(" ")}`, "nvidia-smi", args, { deadlineS: 20 });
}

/** Everything that the tool says, kept as it is: for whoever has no such card. */
async function capture(): Promise<Record<string, string>> {
  const questions: Record<string, string[]> = {
    "version.txt": ["--version"],
    "query.xml": ["-q", "-x"],
    "query.txt": ["-q"],
    "list.txt": ["-L"],
    "topology.txt": ["topo", "-m"],
    "nvlink-status.txt": ["nvlink", "-s"],
    "nvlink-errors.txt": ["nvlink", "-e"],
    "help-query.txt": ["--help-query-gpu"],
  };
  const states: Record<string, string> = {};
  for (const [name, args] of Object.entries(questions)) {
    const told = await ask(...args);
    states[name] = told.state === "ok" ? `ok in ${told.seconds.toFixed(2)} s` : `${told.state}: ${told.reason}`;
    if (told.state === "ok") keep(name, told.stdout);
  }
  return states;
}

/** Asks one by one which columns this driver knows. */
async function findColumns(): Promise<string[]> {
  const help = await ask("--help-query-gpu");
  if (help.state !== "ok") return [];
  return Object.keys(queryNames).filter((field) => help.stdout.includes(`"${queryNames[field]}"`));
}

async function readTable(fields: readonly string[]): Promise<string[]> {
  const told = await ask(`--query-gpu=${fields.map((field) => queryNames[field]).join(",")}`, "--format=csv,noheader,nounits");
  return told.state === "ok" ? told.stdout.trim().split("\n") : [];
}

async function sampleProbe(probe: OpenProbe): Promise<readonly Point[]> {
  try {
    return await probe.sample(Date.now() * 1000);
  } catch (thrown) {
    say(`the probe failed: ${thrown}`);
    return thrown instanceof FailedSample ? thrown.points : [];
  }
}

/** The probe's points beside the tool's table. */
async function compareProbe() {
  const asked = await findColumns();
  const before = await readTable(asked);
  const probe = openNvidiaSmi();
  const points = await sampleProbe(probe);
  const after = await readTable(asked);
  probe.close();
  keep("probe.json", JSON.stringify(points, null, 2));
  const cards = points.filter(({ measurement }) => measurement === "nvidia_smi");
  const compared = cards.flatMap(({ tags, fields }) =>
    compareFields(fields, asked, before[Number(tags.index)] ?? "", after[Number(tags.index)] ?? "").map((each) => ({
      card: tags.index,
      ...each,
    })),
  );
  keep("comparison.json", JSON.stringify(compared, null, 2));
  return {
    cards: cards.length,
    fields: cards.map(({ fields }) => Object.keys(fields).length),
    columns: asked.length,
    compared: compared.length,
    told: compared.filter(({ probe: value }) => value !== null).length,
    disagreeing: compared.filter(({ agrees }) => !agrees),
    tool: points.find(({ measurement }) => measurement === "gpu_tool_state")?.fields,
  };
}

/** What of a result the report holds. */
const told = [
  "name",
  "median",
  "median_low",
  "median_high",
  "unit",
  "throughput",
  "throughput_unit",
  "process_runs",
  "steady_state",
  "disturbance",
  "metadata",
] as const satisfies (keyof Result)[];

function summarize(result: Result): object {
  return Object.fromEntries(told.map((key) => [key, result[key]]));
}

async function measure(name: "suite" | "webgpu", suite: Suite, budgetS: number): Promise<void> {
  const results: Result[] = [];
  const { run } = await runSuite({
    suite,
    budgetS,
    signal: ending.signal,
    onFinding: say,
    onProgress: ({ benchmark, completed, total }) => say(benchmark === "" ? `${completed} of ${total} done` : benchmark),
    onResult: (result) => {
      results.push(result);
      note(name, { results: results.map(summarize) });
      const { throughput, throughput_unit: unit, disturbance } = result;
      say(`  ${result.name}: ${throughput.toPrecision(4)} ${unit}${disturbance === "" ? "" : ` (${disturbance})`}`);
    },
  });
  for (const { name: failed, error } of run.failures) say(`  failed ${failed}: ${error}`);
  note(name, { results: results.map(summarize), failures: run.failures, seconds: run.duration });
}

function select(name: string, isWanted: (benchmark: Suite["benchmarks"][number]) => boolean): Suite {
  const suite = findSuite(name);
  if (suite === undefined) throw new Error(`there is no suite ${name}`);
  return {
    ...suite,
    benchmarks: suite.benchmarks.filter((each) => isWanted(each) && matchGlob(values.filter, nameBenchmark(each))),
  };
}

mkdirSync(values.output, { recursive: true });
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => {
    say(`interrupted; what there is of the report is in ${values.output}`);
    ending.abort();
    setTimeout(() => process.exit(code), 1000);
  });
}
say("what the tool says");
note("captures", await capture());
say("the doctor");
const doctor = await examineHost();
note("doctor", doctor);
say("the probe beside the tool's table");
note("probe", await compareProbe());
say("the GPU suite");
await measure(
  "suite",
  select("gpu", () => true),
  Number(values.seconds),
);
say("the WebGPU runtime");
if (doctor.runtimes.some(({ name, available }) => name === "webgpu" && available)) {
  const isShort = /policy_forward|td3_bc_update|tensor_execution/;
  await measure(
    "webgpu",
    select("full", ({ runtime, workload }) => runtime === "webgpu" && isShort.test(workload)),
    45,
  );
} else note("webgpu", { unavailable: doctor.runtimes.find(({ name }) => name === "webgpu") });
const after = await ask("-q", "-x");
if (after.state === "ok") {
  keep("query-after.xml", after.stdout);
  say(
    `cards at the end: ${parseNvidiaLog(after.stdout)
      .cards.map(({ fields }) => `${fields.temperature_gpu} °C`)
      .join(", ")}`,
  );
}
note("seconds", elapsed());
say(`report in ${values.output}`);
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
