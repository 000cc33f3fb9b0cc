import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentFrameSchema } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { decodeCollectorFrame, encodeAgentFrame } from "@fleetmark/shared/wire/frames";
import { pino } from "pino";
import { expect, it } from "vitest";
import { makeHello } from "../../../test/support.js";
import { createFleet } from "../../fleet/fleet.js";
import { readClockUs } from "../../platform/clock.js";
import type { Intake } from "../intake.js";
import { absentAfterUs, createAttendance } from "./presence.js";

function open() {
  const fleet = createFleet(10);
  const stored: string[] = [];
  let attached = 0;
  const intake: Pick<Intake, "takeHello" | "takeProgress"> = {
    takeHello: ({ host, agentVersion, hardwareClass, inventoryJson }) => {
      stored.push(`${host} ${agentVersion}`);
      return { host, version: agentVersion, hwClass: hardwareClass, inventoryJson };
    },
    takeProgress: ({ run }, { host }) => void stored.push(`${host} at ${run}`),
  };
  const attendance = createAttendance({
    ...{ intake: intake as Intake, fleet, maxBatchBytes: 1000, logger: pino({ level: "silent" }) },
    onAttach: () => attached++,
    onDetach: () => attached--,
  });
  return { attendance, fleet, stored, attached: () => attached };
}

const encode = (frame: MessageInitShape<typeof AgentFrameSchema>["frame"]): Uint8Array => {
  return encodeAgentFrame(create(AgentFrameSchema, { frame }));
};
const hello = (changes: Parameters<typeof makeHello>[0] = {}): Uint8Array => encode({ case: "hello", value: makeHello(changes) });
const subject = natsSubject("hello", "h1");

it("welcomes an agent each time, and stores its introduction only when that is new", () => {
  const { attendance, fleet, stored, attached } = open();
  const { frame } = decodeCollectorFrame(attendance.greet(subject, hello()));
  expect(frame).toMatchObject({ case: "welcome", value: { maxBatchBytes: 1000 } });
  attendance.greet(subject, hello());
  attendance.greet(subject, hello({ agentVersion: "2" }));
  expect(stored).toEqual(["h1 0.1.0", "h1 2"]);
  expect([fleet.get("h1")?.attached, attached()]).toEqual([true, 1]);
});

it("lets a host go that was not heard of for long, and takes it back", () => {
  const { attendance, fleet, stored, attached } = open();
  attendance.greet(subject, hello());
  attendance.sweep(readClockUs());
  expect(attached()).toBe(1);
  attendance.sweep(readClockUs() + absentAfterUs + 1e6);
  expect([fleet.get("h1")?.attached, attached()]).toEqual([false, 0]);
  attendance.greet(subject, hello());
  expect([fleet.get("h1")?.attached, attached(), stored.length]).toEqual([true, 1, 2]);
  attendance.end();
  expect([fleet.get("h1")?.attached, attached()]).toEqual([false, 0]);
});

it("takes progress from the host that its subject names", () => {
  const { attendance, stored } = open();
  const progress = { run: "r1", suite: "quick", completed: 1, total: 2, benchmark: "b", elapsedS: 1, remainingS: 1 };
  attendance.takeProgress(natsSubject("progress", "h 1"), encode({ case: "progress", value: progress }));
  expect(stored).toEqual(["h 1 at r1"]);
});

it.each([
  ["nonsense", subject, new Uint8Array([1, 2, 3]), "PROTOCOL_VIOLATION"],
  ["another frame", subject, encode({ case: "batch", value: new Uint8Array() }), "PROTOCOL_VIOLATION"],
  ["a subject that names no host", "fleetmark.v1.hello.%41", hello(), "BATCH_FOREIGN"],
])("refuses %s", (_what, name, bytes, code) => {
  const { attendance } = open();
  expect(() => attendance.greet(name, bytes)).toThrow(expect.objectContaining({ code }));
});
