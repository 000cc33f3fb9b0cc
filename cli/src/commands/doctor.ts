import { examineHost, type HostReport } from "@fleetmark/bench";
import { type Command, Option } from "commander";
import { type DaemonKind, loadDaemonConfig, recognizeDaemonConfig } from "../checks/daemon-config.js";
import { findDaemonProblems } from "../checks/daemon-findings.js";
import { type Finding, findingIndent, formatFindings, hasProblem } from "../checks/finding.js";
import { configSchemas } from "../config/config-schemas.js";
import { printWrapped } from "../output/message.js";
import type { Colors } from "../output/terminal.js";
import { chooseColours } from "../output/terminal.js";

interface DoctorOptions {
  readonly config?: string;
  readonly for?: DaemonKind;
  readonly json?: boolean;
}

const examples = `
Examples:
  fleetmark doctor
  fleetmark doctor --config agent.yaml
  fleetmark doctor --json | jq '.runtimes[] | select(.available)'`;

export function defineDoctor(command: Command): void {
  command
    .option("-c, --config <file>", "look at what the daemon of this configuration needs, too; exit code 3 on a problem")
    .addOption(
      new Option("--for <process>", "whose configuration, where its keys don't tell").choices(Object.keys(configSchemas)),
    )
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", examples)
    .action(async (options: DoctorOptions) => {
      process.exitCode = await examine(options);
    });
}

async function examine(options: DoctorOptions): Promise<number> {
  // A configuration that can't be read is told before the host is looked at, which takes a while.
  const checks = options.config === undefined ? undefined : await checkDaemon(options.config, options.for);
  const report = await examineHost();
  if (options.json) process.stdout.write(`${JSON.stringify(checks === undefined ? report : { ...report, checks }, null, 2)}\n`);
  else {
    const colour = chooseColours(process.stdout);
    printWrapped(process.stdout, formatReport(report, colour), " ".repeat(nameWidth));
    if (checks !== undefined)
      printWrapped(process.stdout, `\n${colour.bold(options.config ?? "")}\n${formatFindings(checks, colour)}`, findingIndent);
  }
  return checks !== undefined && hasProblem(checks) ? 3 : 0;
}

/** @throws FleetmarkError CONFIG_UNREADABLE, CONFIG_INVALID, USAGE */
function checkDaemon(file: string, kind: DaemonKind | undefined): Promise<Finding[]> {
  const daemon = kind === undefined ? recognizeDaemonConfig(file, process.env) : loadDaemonConfig(kind, file, process.env);
  return findDaemonProblems(daemon);
}

/** Cells of the names before the facts. */
const nameWidth = 18;

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
  const format = (rows: [string, string][]): string =>
    rows.map(([name, text]) => `  ${name.padEnd(nameWidth)}${text}\n`).join("");
  return `${colour.bold("host")}\n${format(facts)}\n${colour.bold("tensor runtimes")}\n${format(runtimes)}`;
}
