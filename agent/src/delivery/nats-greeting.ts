import { create } from "@bufbuild/protobuf";
import { type ErrorCode, errorCatalogue, FleetmarkError } from "@fleetmark/shared/errors";
import { AgentFrameSchema, type Welcome } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { natsSubject } from "@fleetmark/shared/nats";
import { decodeCollectorFrame, encodeAgentFrame, protocolVersion } from "@fleetmark/shared/wire";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Introduction } from "./link.js";
import { answerWithinMs } from "./nats-publish.js";

/**
 * Says Hello to whichever collectors listen. Resolves with the first Welcome.
 * @throws FleetmarkError of the collector that refuses, or what the library throws when none answers
 */
export async function sayHello(connection: NatsConnection, introduction: Introduction): Promise<Welcome> {
  const hello = create(AgentFrameSchema, { frame: { case: "hello", value: { protocolVersion, ...introduction } } });
  const subject = natsSubject("hello", introduction.host);
  const { headers, data } = await connection.request(subject, encodeAgentFrame(hello), { timeout: answerWithinMs });
  const code = headers?.get("Fleetmark-Code") ?? "";
  if (code !== "") {
    const known = Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : "COLLECTOR_FAILED";
    throw new FleetmarkError(known, (headers?.get("Fleetmark-Message") ?? "").slice(0, 500));
  }
  const { frame } = decodeCollectorFrame(data);
  if (frame.case !== "welcome") throw new FleetmarkError("PROTOCOL_VIOLATION", `a ${frame.case} in answer to Hello`);
  return frame.value;
}

/** Checks that the collector speaks what this agent speaks. */
export function checkWelcome(welcome: Welcome): FleetmarkError | undefined {
  if (welcome.protocolVersion === protocolVersion) return undefined;
  const message = `the collector speaks protocol version ${welcome.protocolVersion}, this agent ${protocolVersion}`;
  return new FleetmarkError("PROTOCOL_MISMATCH", message);
}
