import type { Logger } from "@fleetmark/shared/log";
import type { Point } from "@fleetmark/shared/model/series";
import * as library from "@nats-io/transport-node";
import { pino } from "pino";
import { agentConfigSchema } from "#agent/config.js";
import { type Delivery, startDelivery } from "#agent/delivery/delivery.js";
import { createClockOffsetMeter } from "#agent/links/clock-offset.js";
import type { LinkOptions } from "#agent/links/link-options.js";
import { type NatsTiming, startNatsLink } from "#agent/links/nats-link.js";
import { type Collector, startCollector } from "#collector/collector.js";
import { collectorConfigSchema } from "#collector/config.js";
import { makeFolder } from "./program.js";

/** An event of a log. */
export interface LogEvent {
  readonly event: string;
  readonly code?: string;
  readonly msg?: string;
  readonly [key: string]: unknown;
}

/** A logger that keeps its events. */
export function recordLog(): { logger: Logger; events: LogEvent[]; codes: () => string[] } {
  const events: LogEvent[] = [];
  const logger = pino({ level: "debug", base: undefined }, { write: (line: string) => events.push(JSON.parse(line)) });
  return { logger, events, codes: () => events.flatMap(({ code }) => code ?? []) };
}

/** The delivery of an agent over NATS, within this process. */
export interface TestAgent {
  readonly delivery: Delivery;
  readonly events: LogEvent[];
  readonly codes: () => string[];
  /** Sends so many results; resolves with what became of each. */
  produce(count: number): Promise<string[]>;
}

export interface TestAgentOptions {
  readonly host: string;
  /** What stands under `nats` in its configuration. */
  readonly nats: object;
  readonly timing?: Partial<NatsTiming>;
  readonly onCommand?: LinkOptions["onCommand"];
  /** Whether it has an identity beneath its host's name. */
  readonly hasIdentity?: boolean;
}

const quickTiming: NatsTiming = { silence: 1500, stuck: 600_000, look: 200, gap: 300, hello: 2000 };

let clockUs = Date.now() * 1000;

export async function openTestAgent({
  host,
  nats,
  timing,
  onCommand,
  hasIdentity = false,
}: TestAgentOptions): Promise<TestAgent & { close(): Promise<void> }> {
  const { logger, events, codes } = recordLog();
  const config = agentConfigSchema.parse({ host, link: "nats", nats });
  const folder = makeFolder();
  const spool = { dir: folder.path, maxBytes: 2 ** 26, maxAge: 86_400, resendRate: 2 ** 24 };
  const delivery = await startDelivery({ host, hasIdentity, spool, flushInterval: 0.02, logger });
  const { id: identity, machine } = delivery.identity;
  const introduction = { host, agentVersion: "0", hardwareClass: "test", inventoryJson: "{}", identity, machine };
  delivery.attach((window, counts) =>
    startNatsLink({
      config: config.nats,
      introduction,
      window,
      counts,
      logger,
      library,
      clockOffset: createClockOffsetMeter(),
      timing: { ...quickTiming, ...timing },
      onCommand,
    }),
  );
  return {
    delivery,
    events,
    codes,
    produce: (count) =>
      Promise.all(
        Array.from({ length: count }, () => {
          const number = ++clockUs;
          const point: Point = { measurement: "oracle", tags: {}, timeUs: number, fields: { number } };
          return delivery.recordResult(point);
        }),
      ),
    close: async () => {
      await delivery.stop(0);
      folder.remove();
    },
  };
}

/** A collector within this process, on loopback, with its data in a folder of its own. */
export async function openTestCollector(config: object): Promise<Collector & { events: LogEvent[]; codes: () => string[] }> {
  const { logger, events, codes } = recordLog();
  const folder = makeFolder();
  const listen = { grpc: { listen: "127.0.0.1:0" }, http: { listen: "127.0.0.1:0" } };
  const collector = await startCollector(collectorConfigSchema.parse({ data_dir: folder.path, ...listen, ...config }), logger);
  return {
    ...collector,
    events,
    codes,
    stop: async () => {
      await collector.stop();
      folder.remove();
    },
  };
}
