import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@fleetmark/shared/log";
import { answerCommand, createCommandInbox } from "#agent/commands/command-inbox.js";
import { recordAnswer } from "#agent/commands/command-records.js";
import { commandNames, createCommandHandlers } from "#agent/commands/command-registry.js";
import { agentConfigSchema } from "#agent/config.js";
import { startDelivery } from "#agent/delivery/delivery.js";
import type { IdleWatch } from "#agent/idle/idle-watch.js";
import { createClockOffsetMeter } from "#agent/links/clock-offset.js";
import { loadLink } from "#agent/links/load-link.js";
import type { Bench } from "#agent/runs/bench.js";
import { createQuietGate } from "#agent/runs/quiet-gate.js";
import { openRunBook } from "#agent/runs/run-book.js";
import { startRunQueue } from "#agent/runs/run-queue.js";

export interface CommandedHostOptions {
  readonly host: string;
  /** The part of an agent's configuration that says where it delivers to. */
  readonly link: object;
  readonly spools: string;
  /** Where each start of a run is written down: what happened, whatever the product says. */
  readonly journal: string;
  /** Suites that it may be asked for. */
  readonly suites: readonly string[];
  readonly runMs: number;
}

/** A start of a run, as the journal has it. */
export interface Started {
  readonly host: string;
  readonly run: string;
  readonly at: number;
}

/** Measures nothing: a run takes its time, and ends. */
function makeBench({ host, journal, runMs }: CommandedHostOptions): Bench {
  const unused = async () => undefined;
  return {
    readHostFacts: unused as never,
    recallHardwareClass: unused,
    nameHardwareClass: () => "simulated",
    readFingerprint: () => ({ kernel: "simulated" }),
    findSuite: (name) => (name === "none" ? undefined : {}),
    runSuite: async ({ suite, run, signal, onProgress }) => {
      const name = String(suite);
      appendFileSync(journal, `${JSON.stringify({ host, run, at: Date.now() } satisfies Started)}\n`);
      const began = Date.now();
      const counts = { completed: 0, total: 1 };
      onProgress({ run, suite: name, ...counts, benchmark: "b", elapsed_s: 0, remaining_s: runMs / 1000 });
      await delay(runMs, undefined, { signal }).catch(() => {});
      const duration = (Date.now() - began) / 1000;
      const ended = { run, suite: name, host, hw_class: "simulated", started_us: began * 1000, time_us: Date.now() * 1000 };
      const state = signal.aborted ? "interrupted" : "finished";
      return { run: { ...ended, ...counts, state, duration, failures: [], fingerprint: {} }, results: [] };
    },
  };
}

const alwaysFree: IdleWatch = { findBusy: async () => undefined, onBusy: () => () => {} };

/** Starts a host that measures nothing and does what it is told, by the agent's own inbox, book, queue and delivery. */
export async function startCommandedHost(options: CommandedHostOptions, logger: Logger): Promise<void> {
  const { host, link, spools, suites } = options;
  const config = agentConfigSchema.parse({ ...link, host, spool: { dir: join(spools, host), flush_interval: "250ms" } });
  const { dir, max_bytes, max_age, resend_rate, flush_interval } = config.spool;
  const spool = { dir, maxBytes: max_bytes, maxAge: max_age, resendRate: resend_rate };
  const delivery = await startDelivery({ host, hasIdentity: true, spool, flushInterval: flush_interval, logger });
  const book = await openRunBook(dir, logger);
  const bench = makeBench(options);
  const queue = startRunQueue({
    host,
    findHardwareClass: () => "simulated",
    findEvery: () => undefined,
    ready: Promise.resolve(),
    bench,
    book,
    idle: alwaysFree,
    settleS: 0,
    longestRunS: 3600,
    delivery,
    gate: createQuietGate(),
    nowMs: () => Date.now(),
    onActive: () => {},
    logger,
  });
  const allowed = { suites, atOnce: true };
  const parts = { queue, bench, allowed, takeInventory: () => {}, nowMs: () => Date.now(), logger };
  const inbox = createCommandInbox({
    handlers: createCommandHandlers(parts, commandNames),
    book,
    nowUs: () => Date.now() * 1000,
    onAnswered: (command, answer) => recordAnswer({ host, delivery }, command, answer),
    logger,
  });
  const introduction = {
    host,
    identity: delivery.identity.id,
    machine: "",
    agentVersion: "0.0.0",
    hardwareClass: "simulated",
    inventoryJson: "{}",
  };
  const startLink = await loadLink(config);
  delivery.attach((window, counts) =>
    startLink({
      introduction,
      window,
      counts,
      clockOffset: createClockOffsetMeter(),
      logger,
      onCommand: (command) => answerCommand(inbox, command),
    }),
  );
}
