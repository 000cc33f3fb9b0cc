import { FleetmarkError } from "@fleetmark/shared/errors";
import { formatAddress, parseDuration } from "@fleetmark/shared/model/units";
import { type Command, InvalidArgumentError, Option } from "commander";
import { askForText } from "../../client/collector-api.js";
import type { Endpoint } from "../../client/endpoint.js";
import { createRunningSource } from "../../client/running-collector.js";
import type { Source } from "../../client/source.js";
import { addCollectorFlags, type CollectorOptions, findNamedEndpoint, findOwnEndpoint } from "../../config/collector-flags.js";
import { readConfig } from "../../config/config-flags.js";
import { configSchemas } from "../../config/config-schemas.js";
import { tell } from "../../output/message.js";

export interface SourceOptions extends CollectorOptions {
  readonly data?: string;
  readonly config?: string;
}

export function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1000) throw new InvalidArgumentError("It is a number from 1 to 1000.");
  return count;
}

export function readSeconds(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined || seconds <= 0) throw new InvalidArgumentError("A duration looks like 90s, 26h or 7d.");
  return seconds;
}

/** Gives a command the flags that say where what it shows is read from. */
export function addSourceFlags(command: Command): Command {
  return addCollectorFlags(command, "HTTP address of a running collector, which must answer")
    .addOption(new Option("--data <dir>", "read this data directory, without a collector").conflicts(["collector", "config"]))
    .addOption(
      new Option("-c, --config <file>", "YAML configuration of the collector whose store is read").conflicts("collector"),
    );
}

/** Says in the help where things are read from, and shows how the command is called. */
export function addReadingHelp(command: Command, examples: readonly string[]): Command {
  return command.addHelpText(
    "after",
    `
Read from a running collector; where none answers, from the configured store.
Without --config and FLEETMARK_… variables, that is the data in ./fleetmark-data.

Examples:
${examples.map((example) => `  fleetmark ${example}`).join("\n")}`,
  );
}

/** Whether a collector answers there. */
async function isCollectorAt(endpoint: Endpoint): Promise<boolean> {
  try {
    await askForText(endpoint, "/healthz");
    return true;
  } catch (thrown) {
    if (thrown instanceof FleetmarkError && thrown.code === "COLLECTOR_UNREACHABLE") return false;
    throw thrown;
  }
}

async function openSource(command: Command): Promise<Source> {
  const { data, ...options } = command.opts<SourceOptions>();
  const named = await findNamedEndpoint(options);
  if (named !== undefined) return createRunningSource(named);
  const given: Record<string, string> = data === undefined ? {} : { data_dir: data, "store.kind": "duckdb" };
  const config = readConfig(command, configSchemas.collector, given);
  if (data === undefined) {
    const own = await findOwnEndpoint(config, options);
    if (await isCollectorAt(own)) return createRunningSource(own);
  }
  const { openStoredData } = await import("../../client/stored-data.js");
  if (data === undefined) tell(`no collector at ${formatAddress(config.http.listen)}; reading what is stored`);
  return openStoredData(config);
}

/**
 * Opens what the flags name, says what it is, and closes it after its use.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE when one was named that does not answer, and what the opening of the
 *   store throws
 */
export async function withSource<T>(command: Command, use: (source: Source) => Promise<T>): Promise<T> {
  const source = await openSource(command);
  try {
    const answer = await use(source);
    tell(`from ${source.description}`);
    return answer;
  } finally {
    await source.close();
  }
}
