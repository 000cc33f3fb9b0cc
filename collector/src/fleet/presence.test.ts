import { pino } from "pino";
import { expect, it } from "vitest";
import { createMetrics } from "../telemetry/metrics.js";
import { createFleet } from "./fleet.js";
import {
  type Attachment,
  absentAfterUs,
  attachHost,
  createPresence,
  detachHost,
  detachSilentHosts,
  type Link,
} from "./presence.js";

function open() {
  const events: string[] = [];
  const write = (line: string): void => {
    const { event, agent, link } = JSON.parse(line);
    events.push([event, agent, link].join(" ").trim());
  };
  const metrics = createMetrics();
  const logger = pino({ level: "info", base: undefined }, { write });
  const presence = createPresence({ fleet: createFleet(10), metrics, logger, maxBatchBytes: 1000 });
  const attached = async (): Promise<number> => (await metrics.agentsAttached.get()).values[0].value;
  return { presence, events, attached };
}

function makeAttachment(link: Link, displace = (): void => {}): Attachment {
  const hello = { host: "h1", version: "1", hwClass: "c", inventoryJson: "{}" };
  return { link, hello, displace, sendCommand: () => {} };
}

it("has of each host the newest attachment alone, over whichever link", async () => {
  const { presence, events, attached } = open();
  const displaced: string[] = [];
  // A stream that is displaced ends, and tells its end.
  const first: Attachment = makeAttachment("grpc", () => {
    displaced.push("first");
    detachHost(presence, first);
  });
  const second = makeAttachment("nats");
  attachHost(presence, first, 1);
  attachHost(presence, second, 2);
  expect(displaced).toEqual(["first"]);
  expect(presence.attachments.get("h1")).toBe(second);
  expect(presence.fleet.get("h1")).toMatchObject({ attached: true, attachedSinceUs: 2 });
  expect(await attached()).toBe(1);
  detachHost(presence, second);
  expect([presence.fleet.get("h1")?.attached, await attached()]).toEqual([false, 0]);
  expect(events).toEqual(["agent_attached h1 grpc", "agent_displaced h1", "agent_attached h1 nats", "agent_detached h1 nats"]);
});

it("displaces nobody when a host introduces itself anew over NATS", () => {
  const { presence, events } = open();
  attachHost(presence, makeAttachment("nats"), 1);
  attachHost(presence, makeAttachment("nats"), 2);
  expect(events).toEqual(["agent_attached h1 nats", "agent_attached h1 nats"]);
});

it("lets go of silent hosts over NATS, and never of one with a stream", () => {
  const { presence } = open();
  attachHost(presence, makeAttachment("grpc"), 0);
  detachSilentHosts(presence, absentAfterUs + 1);
  expect(presence.attachments.size).toBe(1);
  attachHost(presence, makeAttachment("nats"), 0);
  detachSilentHosts(presence, absentAfterUs);
  expect(presence.attachments.size).toBe(1);
  detachSilentHosts(presence, absentAfterUs + 1);
  expect(presence.attachments.size).toBe(0);
});
