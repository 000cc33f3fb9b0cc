import { join } from "node:path";
import { type AgentConfig, type Report, startReport } from "@fleetmark/agent";
import { nameHardwareClass, readHostFacts } from "@fleetmark/bench";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { formatAddress } from "@fleetmark/shared/model/units";
import type { Command } from "commander";
import { readConfig } from "../config/config-flags.js";
import { configSchemas } from "../config/config-schemas.js";
import type { BenchOptions } from "./options.js";

/** Below the output directory: what the collector has not acknowledged yet. */
const waitingFolder = "unsent";

/** Where a bench reports to, and as whom. */
export interface Reporting {
  readonly config: AgentConfig;
  readonly hardwareClass: string;
  readonly folder: string;
}

/**
 * Finds out where to report to: by the agent's configuration, in which `--report ADDRESS` has the last word. Undefined
 * where no report is asked for.
 * @throws FleetmarkError CONFIG_UNREADABLE, CONFIG_INVALID
 */
export async function planReport(
  command: Command,
  { report, sendOnly, outputDir }: BenchOptions,
): Promise<Reporting | undefined> {
  if (report === undefined && !sendOnly) return undefined;
  const address: Record<string, string> = typeof report === "string" ? { "collector.address": report } : {};
  try {
    const config = readConfig(command, configSchemas.agent, address);
    return { config, hardwareClass: nameHardwareClass(await readHostFacts()), folder: join(outputDir, waitingFolder) };
  } catch (thrown) {
    if (!(thrown instanceof FleetmarkError)) throw thrown;
    throw new FleetmarkError(thrown.code, thrown.message.replaceAll("--collector-address", "--report"), { cause: thrown });
  }
}

/** @throws FleetmarkError as `startReport` does */
export function openReport({ config, hardwareClass, folder }: Reporting): Promise<Report> {
  return startReport({ host: config.host, hardwareClass, link: config, folder });
}

function nameCollector({ link, collector, nats }: AgentConfig): string {
  return link === "nats" ? `NATS at ${nats.servers.join(", ")}` : `the collector at ${formatAddress(collector.address)}`;
}

/** Waits until the collector has it all, and says so. Returns whether it has. */
export async function concludeReport(report: Report, { config, folder }: Reporting): Promise<boolean> {
  const where = nameCollector(config);
  const { unacked, refused, trouble } = await report.finish();
  if (unacked > 0) {
    const why = trouble === undefined ? "it did not answer" : `${trouble.code}: ${trouble.message}`;
    process.stderr.write(`not reported to ${where}: ${why}\n`);
    process.stderr.write(`it waits in ${folder}: the next bench with --report sends it, or bench --report --send-only\n`);
  }
  if (refused.length > 0)
    process.stderr.write(`${where} refused ${refused.length} records: ${[...new Set(refused)].join(", ")}\n`);
  if (unacked > 0 || refused.length > 0) return false;
  process.stderr.write(`reported to ${where} as host ${config.host}\n`);
  return true;
}
