import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentFrameSchema, type CollectorFrame } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { decodeCollectorFrame, encodeAgentFrame } from "@fleetmark/shared/wire/frames";
import { pino } from "pino";
import { expect, it } from "vitest";
import { makeHello } from "../../../test/support.js";
import { createFleet } from "../../fleet/fleet.js";
import { absentAfterUs, createPresence, detachSilentHosts, leaveLink } from "../../fleet/presence.js";
import { readClockUs } from "../../platform/clock.js";
import { createMetrics } from "../../telemetry/metrics.js";
import type { Intake } from "../intake.js";
import { receiveCommandResult, receiveHello, receiveProgress } from "./requests.js";

function open() {
  const fleet = createFleet(10);
  const stored: string[] = [];
  const clocks: string[] = [];
  const published: string[] = [];
  const intake: Pick<Intake, "takeHello" | "takeKnownHello" | "takeProgress"> = {
    takeHello: ({ host, agentVersion, hardwareClass, inventoryJson }) => {
      stored.push(`${host} ${agentVersion}`);
      return { host, version: agentVersion, hwClass: hardwareClass, inventoryJson };
    },
    takeKnownHello: ({ sentUs }, { host }) => {
      fleet.touch(host, readClockUs());
      clocks.push(`${host} at ${sentUs}`);
    },
    takeProgress: ({ run }, { host }) => void stored.push(`${host} at ${run}`),
  };
  const metrics = createMetrics();
  const attached = async (): Promise<number> => (await metrics.agentsAttached.get()).values[0].value;
  const presence = createPresence({ fleet, metrics, logger: pino({ level: "silent" }), maxBatchBytes: 1000 });
  const options = {
    presence,
    intake: intake as Intake,
    receiveResult: ({ host }: { host: string }, { id }: { id: string }) => void stored.push(`${host} did ${id}`),
    publish: (subject: string) => void published.push(subject),
  };
  /** Returns the answer to a Hello. */
  const greet = (subject: string, bytes: Uint8Array): CollectorFrame => {
    const answers: CollectorFrame[] = [];
    receiveHello(options, subject, bytes, (welcome) => answers.push(decodeCollectorFrame(welcome)));
    return answers[0];
  };
  return { options, presence, greet, fleet, stored, clocks, published, attached };
}

const encode = (frame: MessageInitShape<typeof AgentFrameSchema>["frame"]): Uint8Array => {
  return encodeAgentFrame(create(AgentFrameSchema, { frame }));
};
const hello = (changes: Parameters<typeof makeHello>[0] = {}): Uint8Array => encode({ case: "hello", value: makeHello(changes) });
const subject = natsSubject("hello", "h1");

it("welcomes an agent each time, and stores its introduction only when that is new", async () => {
  const { greet, fleet, stored, clocks, attached } = open();
  const { frame } = greet(subject, hello());
  expect(frame).toMatchObject({ case: "welcome", value: { maxBatchBytes: 1000 } });
  greet(subject, hello({ sentUs: 5n }));
  expect(clocks).toEqual(["h1 at 5"]);
  greet(subject, hello({ agentVersion: "2" }));
  expect(stored).toEqual(["h1 0.1.0", "h1 2"]);
  expect([fleet.get("h1")?.attached, await attached()]).toEqual([true, 1]);
});

it("lets a host go that was not heard of for long, and takes it back", async () => {
  const { greet, presence, fleet, stored, attached } = open();
  greet(subject, hello());
  detachSilentHosts(presence, readClockUs());
  expect(await attached()).toBe(1);
  detachSilentHosts(presence, readClockUs() + absentAfterUs + 1e6);
  expect([fleet.get("h1")?.attached, await attached()]).toEqual([false, 0]);
  greet(subject, hello());
  expect([fleet.get("h1")?.attached, await attached(), stored.length]).toEqual([true, 1, 2]);
  leaveLink(presence, "nats");
  expect([fleet.get("h1")?.attached, await attached()]).toEqual([false, 0]);
});

it("takes progress and results from the host that their subject names", () => {
  const { options, stored } = open();
  const progress = { run: "r1", suite: "quick", completed: 1, total: 2, benchmark: "b", elapsedS: 1, remainingS: 1 };
  receiveProgress(options, natsSubject("progress", "h 1"), encode({ case: "progress", value: progress }));
  receiveCommandResult(options, natsSubject("command_result", "h 1"), encode({ case: "commandResult", value: { id: "c1" } }));
  expect(stored).toEqual(["h 1 at r1", "h 1 did c1"]);
});

it("sends a command under the host's own subject", () => {
  const { greet, presence, published } = open();
  greet(natsSubject("hello", "h 1"), hello({ host: "h 1" }));
  presence.attachments.get("h 1")?.sendCommand({ id: "c1", name: "n", argumentsJson: "{}", expiresUs: 1n });
  expect(published).toEqual(["fleetmark.v1.command.h%201"]);
});

it.each([
  ["nonsense", subject, new Uint8Array([1, 2, 3]), "PROTOCOL_VIOLATION"],
  ["another frame", subject, encode({ case: "batch", value: new Uint8Array() }), "PROTOCOL_VIOLATION"],
  ["a subject that names no host", "fleetmark.v1.hello.%41", hello(), "BATCH_FOREIGN"],
])("refuses %s", (_what, name, bytes, code) => {
  const { greet } = open();
  expect(() => greet(name, bytes)).toThrow(expect.objectContaining({ code }));
});
