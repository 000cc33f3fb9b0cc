import { examineHost, type HostReport } from "@fleetmark/bench";
import type { Command } from "commander";
import type { Colors } from "../output/terminal.js";
import { chooseColours } from "../output/terminal.js";

export function defineDoctor(command: Command): void {
  command
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", "\nExamples:\n  fleetmark doctor\n  fleetmark doctor --json | jq '.runtimes[] | select(.available)'")
    .action(async (options: { json?: boolean }) => {
      const report = await examineHost();
      process.stdout.write(
        options.json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report, chooseColours(process.stdout)),
      );
    });
}

function formatGib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function formatReport(report: HostReport, colour: Colors): string {
  const { cpu, container } = report;
  // What only Linux shows is not looked for elsewhere.
  const isLinux = report.platform === "linux";
  const nothing = (onLinux: string): string => (isLinux ? onLinux : "not on this system");
  const limits = [
    container.cpuset === null ? "" : `${container.cpuset} of the processors`,
    container.cpus === null ? "" : `${container.cpus} CPUs`,
    container.memory_bytes === null ? "" : `${formatGib(container.memory_bytes)} memory`,
  ].filter((limit) => limit !== "");
  const tools = Object.entries(report.gpu_tools).map(([name, path]) => {
    const { [name]: state = "ok" } = report.gpu_tool_state;
    if (state !== "ok" && state !== "absent") return colour.yellow(`${name} ${state.replace("_", " ")}`);
    return path ?? colour.dim(`${name} not found`);
  });
  const facts: [string, string][] = [
    ["system", `${report.system}, Node.js ${report.node}`],
    ["CPU", `${cpu.model}, ${cpu.cores} cores, governor ${cpu.governor ?? nothing("not shown by this kernel")}`],
    ["memory", formatGib(report.memory_bytes)],
    ["container limits", limits.length === 0 ? nothing("none") : limits.join(", ")],
    ["hardware class", report.hw_class],
    ["GPUs", report.gpus.length === 0 ? "none reported" : report.gpus.join(", ")],
    ["GPU devices", report.gpu_devices.length === 0 ? nothing("none") : report.gpu_devices.join(", ")],
    ["GPU tools", tools.join(", ")],
    ["clock source", report.clock_source ?? nothing("not shown by this kernel")],
    ...report.findings.map((finding): [string, string] => ["finding", colour.yellow(finding)]),
  ];
  const runtimes = report.runtimes.map((runtime): [string, string] => [
    runtime.name,
    runtime.available
      ? `${colour.green("available")} on ${runtime.device}, version ${runtime.version}${runtime.note === undefined ? "" : ` (${runtime.note})`}`
      : `${colour.yellow("unavailable")}: ${runtime.reason}`,
  ]);
  const format = (rows: [string, string][]): string => rows.map(([name, text]) => `  ${name.padEnd(18)}${text}\n`).join("");
  return `${colour.bold("host")}\n${format(facts)}\n${colour.bold("tensor runtimes")}\n${format(runtimes)}`;
}
