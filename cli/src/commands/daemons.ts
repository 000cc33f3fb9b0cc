import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import { addConfigFlags, readConfig } from "../config/config-flags.js";
import { configSchemas } from "../config/config-schemas.js";
import { runDaemon } from "../processes/daemon.js";

export function defineCollector(command: Command): void {
  command.option("-c, --config <file>", "YAML configuration").addHelpText(
    "after",
    `
Examples:
  fleetmark collector
  fleetmark collector --config collector.yaml --data-dir /var/lib/fleetmark
  FLEETMARK_HTTP_LISTEN=127.0.0.1:8080 fleetmark collector`,
  );
  addConfigFlags(command, configSchemas.collector);
  command.action(() =>
    runDaemon(async () => {
      const { startCollector } = await import("@fleetmark/collector");
      const collector = await startCollector(readConfig(command, configSchemas.collector));
      return {
        ready: { grpc: collector.grpc, http: collector.http },
        close: async () => {
          await collector.stop();
          return {};
        },
      };
    }),
  );
}

export function defineAgent(command: Command): void {
  command.option("-c, --config <file>", "YAML configuration").addHelpText(
    "after",
    `
Examples:
  fleetmark agent --collector-address 127.0.0.1:7420
  fleetmark agent --config agent.yaml --run-on-start quick`,
  );
  addConfigFlags(command, configSchemas.agent);
  command.action(() =>
    runDaemon(async () => {
      // An agent must not carry what a collector is made of, nor the other way round.
      const { startAgent } = await import("@fleetmark/agent");
      const config = readConfig(command, configSchemas.agent);
      // bin/fleetmark.js has switched V8's optimising compiler off, but what evaluates a suite's samples gains by it.
      const onActive = (isActive: boolean): void => setFlagsFromString(isActive ? "--opt" : "--no-opt");
      const agent = await startAgent(config, { onActive });
      return { ready: { host: agent.host }, close: () => agent.stop() };
    }),
  );
}
