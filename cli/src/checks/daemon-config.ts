import { loadConfig } from "@fleetmark/shared/config/config";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { configSchemas } from "../config/config-schemas.js";
import type { DaemonConfig } from "./config-findings.js";

export type DaemonKind = DaemonConfig["kind"];

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws FleetmarkError CONFIG_UNREADABLE, CONFIG_INVALID */
export function loadDaemonConfig(kind: DaemonKind, file: string, environment: Environment): DaemonConfig {
  const sources = { file, environment, flags: {} };
  if (kind === "agent") return { kind, config: loadConfig(configSchemas.agent, sources) };
  return { kind, config: loadConfig(configSchemas.collector, sources) };
}

/** A configuration, or why it is none. */
type Attempt = { readonly loaded: DaemonConfig } | { readonly refusal: FleetmarkError };

function tryLoading(kind: DaemonKind, file: string, environment: Environment): Attempt {
  try {
    return { loaded: loadDaemonConfig(kind, file, environment) };
  } catch (thrown) {
    if (thrown instanceof FleetmarkError) return { refusal: thrown };
    throw thrown;
  }
}

/**
 * Loads the configuration of a daemon whose kind its keys tell.
 * @throws FleetmarkError USAGE where they are those of either; CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function recognizeDaemonConfig(file: string, environment: Environment): DaemonConfig {
  const attempts = (["agent", "collector"] as const).map((kind) => tryLoading(kind, file, environment));
  const fitting = attempts.flatMap((each) => ("loaded" in each ? [each.loaded] : []));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  if (fitting.length > 1) throw new FleetmarkError("USAGE", `${file} fits an agent and a collector: say which with --for`);
  // The one with the fewest complaints is the one that was meant.
  const refusals = attempts.flatMap((each) => ("refusal" in each ? [each.refusal] : []));
  const [meant] = refusals.sort((a, b) => countLines(a) - countLines(b));
  throw meant ?? new FleetmarkError("CONFIG_INVALID", file);
}

function countLines({ message }: FleetmarkError): number {
  return message.split("\n").length;
}
