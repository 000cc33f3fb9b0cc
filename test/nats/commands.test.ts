import { create } from "@bufbuild/protobuf";
import { AgentFrameSchema, type CommandResult } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { decodeCollectorFrame, encodeAgentFrame } from "@fleetmark/shared/wire/frames";
import { afterEach, expect, it, vi } from "vitest";
import { makeHello } from "../../collector/test/support.js";
import { readMetric } from "../testbed/answers.js";
import { openTestCollector } from "../testbed/fleet.js";
import { shareNats } from "../testbed/nats.js";
import { describeWith } from "../testbed/needs.js";

const patience = { timeout: 20_000, interval: 20 };
const request = { name: "start_run", arguments: { suite: "quick" }, timeout: 20 };
const refusedMetric = "fleetmark_command_results_refused_total";

describeWith("nats-server")("commands over NATS", () => {
  const nats = shareNats();
  const cleanups: (() => unknown)[] = [];

  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });

  const openCollector = async () => {
    const collector = await openTestCollector({ nats: { servers: [nats.server.url] } });
    cleanups.push(collector.stop);
    await vi.waitFor(() => expect(collector.events).toContainEqual(expect.objectContaining({ event: "nats_taking" })), patience);
    return collector;
  };
  const greet = (host: string) => {
    const frame = { case: "hello" as const, value: makeHello({ host }) };
    return nats.nc.request(natsSubject("hello", host), encodeAgentFrame(create(AgentFrameSchema, { frame })), { timeout: 5000 });
  };
  const sendResult = (host: string, result: Partial<Omit<CommandResult, "$typeName">>): void => {
    const frame = { case: "commandResult" as const, value: { done: true, ...result } };
    nats.nc.publish(natsSubject("command_result", host), encodeAgentFrame(create(AgentFrameSchema, { frame })));
  };
  /** Collects the ids of the commands for a host. */
  const hearCommands = async (host: string): Promise<string[]> => {
    const ids: string[] = [];
    const subscription = nats.nc.subscribe(natsSubject("command", host), {
      callback: (_error, { data }) => {
        const { frame } = decodeCollectorFrame(data);
        if (frame.case === "command") ids.push(frame.value.id);
      },
    });
    cleanups.push(() => subscription.unsubscribe());
    await nats.nc.flush();
    return ids;
  };

  it("reach the host, again when it says Hello again, and their result comes back", async () => {
    const collector = await openCollector();
    await expect(collector.commands.send("h1 é", request)).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
    const ids = await hearCommands("h1 é");
    await greet("h1 é");
    const outcome = collector.commands.send("h1 é", request);
    await vi.waitFor(() => expect(ids).toHaveLength(1), patience);
    await greet("h1 é");
    await vi.waitFor(() => expect(ids).toEqual([ids[0], ids[0]]), patience);
    sendResult("h1 é", { id: ids[0], resultJson: '{"run":"r1"}' });
    expect(await outcome).toEqual({ done: true, result: { run: "r1" } });
  });

  it("are answered to the collector that asked, and to no other", async () => {
    const [asking, other] = [await openCollector(), await openCollector()];
    const ids = await hearCommands("h1");
    await greet("h1");
    await vi.waitFor(async () => {
      for (const { http } of [asking, other]) expect(await readMetric(http, "fleetmark_agents_attached")).toBe(1);
    }, patience);
    const outcome = asking.commands.send("h1", request);
    await vi.waitFor(() => expect(ids).toHaveLength(1), patience);
    // Under another host's subject it is no answer to anything, and only the collector that asked knows that.
    sendResult("h2", { id: ids[0] });
    await vi.waitFor(async () => expect(await readMetric(asking.http, refusedMetric)).toBe(1), patience);
    sendResult("h1", { id: ids[0] });
    expect(await outcome).toEqual({ done: true, result: {} });
    expect(await readMetric(other.http, refusedMetric)).toBe(0);
    expect(await readMetric(asking.http, refusedMetric)).toBe(1);
  });
});
