import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Address, formatAddress, parseAddress, parseDuration } from "@fleetmark/shared/model/units";
import { type Command, InvalidArgumentError, Option } from "commander";
import { askForText } from "../../client/collector-api.js";
import { createRunningSource } from "../../client/running-collector.js";
import type { Source } from "../../client/source.js";
import { readConfig } from "../../config/config-flags.js";
import { configSchemas } from "../../config/config-schemas.js";
import { tell } from "../../output/message.js";

export interface SourceOptions {
  readonly collector?: Address;
  readonly data?: string;
  readonly config?: string;
}

export function readAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new InvalidArgumentError("An address looks like 127.0.0.1:7421.");
  return address;
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
  return command
    .addOption(
      new Option("--collector <address>", "HTTP address of a running collector, which must answer").argParser(readAddress),
    )
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
async function isCollectorAt(address: Address): Promise<boolean> {
  try {
    await askForText(address, "/healthz");
    return true;
  } catch (thrown) {
    if (thrown instanceof FleetmarkError && thrown.code === "COLLECTOR_UNREACHABLE") return false;
    throw thrown;
  }
}

async function openSource(command: Command): Promise<Source> {
  const { collector, data } = command.opts<SourceOptions>();
  if (collector !== undefined) return createRunningSource(collector);
  const given: Record<string, string> = data === undefined ? {} : { data_dir: data, "store.kind": "duckdb" };
  const config = readConfig(command, configSchemas.collector, given);
  if (data === undefined && (await isCollectorAt(config.http.listen))) return createRunningSource(config.http.listen);
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
