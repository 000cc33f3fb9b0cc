import { join } from "node:path";
import type { AgentConfig } from "@fleetmark/agent";
import { usualSchedule } from "@fleetmark/agent/config";
import type { CollectorConfig } from "@fleetmark/collector";
import { checkEnvironment, listConfigKeys, loadConfig } from "@fleetmark/shared/config/config";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import type { Command } from "commander";
import type { z } from "zod";
import { toReachable } from "../../client/endpoint.js";
import { addConfigFlags, readFlags, writeFlags } from "../../config/config-flags.js";
import { configSchemas } from "../../config/config-schemas.js";

/**
 * How `up` configures the two daemons: every flag of either goes to it as it was given, and so do the variables of the
 * environment. What both have, such as nats.servers, goes to both. `up` itself sets where they meet and what they share
 * on disk, unless that is given too.
 */
export interface ChildrenPlan {
  readonly collector: CollectorConfig;
  readonly agent: AgentConfig;
  /** Arguments of the collector; started again it listens where it did, even if a port was the system's choice. */
  chooseCollectorArgs(facts?: CollectorFacts): readonly string[];
  chooseAgentArgs(facts: CollectorFacts, suite: string): readonly string[];
}

/** Where a collector turned out to listen. */
export interface CollectorFacts {
  readonly grpc: Address;
  readonly http: Address;
}

type Values = Readonly<Record<string, string>>;

/** Gives `up` the flags of both daemons; the suite has a flag of its own. */
export function addChildrenFlags(command: Command): void {
  addConfigFlags(command, configSchemas.collector);
  addConfigFlags(command, configSchemas.agent, ["run.on_start"]);
}

/** Keeps the values that the environment does not give. */
function leaveToEnvironment(schema: z.ZodObject, values: Values, environment: NodeJS.ProcessEnv): Record<string, string> {
  const keys = listConfigKeys(schema).filter(({ variable }) => environment[variable] !== undefined);
  return Object.fromEntries(Object.entries(values).filter(([path]) => !keys.some((key) => key.path === path)));
}

/** @throws FleetmarkError TLS_NEEDED when the collector would turn its own machine's agent away */
function checkTls({ grpc }: CollectorConfig, { link, collector }: AgentConfig): void {
  if (link !== "grpc" || grpc.tls.cert_file === undefined) return;
  if (collector.tls.ca_file !== undefined && (grpc.tls.ca_file === undefined || collector.tls.cert_file !== undefined)) return;
  const own = grpc.tls.ca_file === undefined ? "" : ", --collector-tls-cert-file and --collector-tls-key-file";
  throw new FleetmarkError("TLS_NEEDED", `the collector speaks TLS: give this machine's agent --collector-tls-ca-file${own}`);
}

/** What `up` was given beside the daemons' own flags. */
interface UpGiven {
  readonly data?: string;
  readonly once?: boolean;
}

/**
 * Plans the two daemons from what `up` was given.
 * @throws FleetmarkError CONFIG_INVALID, ENVIRONMENT_INVALID, TLS_NEEDED
 */
export function planChildren(command: Command, { data, once }: UpGiven, environment: NodeJS.ProcessEnv): ChildrenPlan {
  checkEnvironment(environment, Object.values(configSchemas));
  const forCollector: Values = {
    ...(data === undefined ? {} : { data_dir: data }),
    ...readFlags(command, configSchemas.collector),
  };
  const collector = loadConfig(configSchemas.collector, { environment, flags: forCollector });
  const given = readFlags(command, configSchemas.agent);
  const layOutAgent = ({ grpc }: Pick<CollectorFacts, "grpc">, suite: string): Values => {
    const presets = {
      "collector.address": formatAddress(toReachable(grpc)),
      "spool.dir": join(collector.data_dir, "spool"),
      "run.schedule": JSON.stringify(once ? [] : usualSchedule),
    };
    return { ...leaveToEnvironment(configSchemas.agent, presets, environment), ...given, "run.on_start": suite };
  };
  const agent = loadConfig(configSchemas.agent, { environment, flags: layOutAgent({ grpc: collector.grpc.listen }, "none") });
  checkTls(collector, agent);
  return {
    collector,
    agent,
    chooseCollectorArgs: (facts = { grpc: collector.grpc.listen, http: collector.http.listen }) => {
      const listen = { "grpc.listen": formatAddress(facts.grpc), "http.listen": formatAddress(facts.http) };
      return ["collector", ...writeFlags(configSchemas.collector, { ...forCollector, ...listen })];
    },
    chooseAgentArgs: (facts, suite) => ["agent", ...writeFlags(configSchemas.agent, layOutAgent(facts, suite))],
  };
}
