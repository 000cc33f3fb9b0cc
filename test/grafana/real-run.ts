import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { stringify } from "yaml";
import { makeFolder, startDaemon } from "../testbed/program.js";
import { openReader } from "./influx-reader.js";

/** How long the suite may take on a busy machine. */
const patienceMs = 15 * 60_000;

/** Longer than the agents' own interval takes to give every counter a second sample. */
const afterwardsMs = 30_000;

/**
 * Runs a collector that stores in the database and an agent that runs the quick suite, as they are on a host; returns
 * when all is stored.
 */
export async function fillByRealRun(url: string, tell: (text: string) => void): Promise<{ fromMs: number; toMs: number }> {
  const folder = makeFolder();
  const fromMs = Date.now() - 60_000;
  const configure = (name: string, config: object): string => {
    const path = join(folder.path, name);
    writeFileSync(path, stringify(config));
    return path;
  };
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const collectorConfig = configure("collector.yaml", {
      data_dir: join(folder.path, "data"),
      grpc: { listen: "127.0.0.1:0" },
      http: { listen: "127.0.0.1:0" },
      log: { level: "warn" },
      store: { kind: "influxdb", url, database: "fleetmark" },
    });
    const collector = await startDaemon<{ grpc: Address }>(["collector", "--config", collectorConfig]);
    ends.push(() => stop(collector));
    const agentConfig = configure("agent.yaml", {
      host: "real-host",
      collector: { address: formatAddress(collector.facts.grpc) },
      telemetry: { interval: "5s" },
      run: { on_start: "quick" },
      log: { level: "warn" },
    });
    const agent = await startDaemon(["agent", "--config", agentConfig], { cwd: folder.path });
    ends.push(() => stop(agent));
    tell("a real collector and agent run the quick suite");
    const reader = openReader(url);
    const deadline = Date.now() + patienceMs;
    while ((await reader.ask('SELECT count("completed") FROM "run"')).series.length === 0) {
      if (Date.now() > deadline) throw new Error("the quick suite did not end in time");
      await delay(2000);
    }
    await delay(afterwardsMs);
  } finally {
    for (const end of ends.toReversed()) await end();
    folder.remove();
  }
  return { fromMs, toMs: Date.now() };
}

async function stop(program: { process: { kill(signal: NodeJS.Signals): boolean }; ended: Promise<unknown> }): Promise<void> {
  program.process.kill("SIGTERM");
  await program.ended;
}
