import { setTimeout as wait } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { errorMessage, FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import { AgentFrameSchema, type Welcome } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { natsSubject } from "@fleetmark/shared/nats/subjects";
import { decodeCollectorFrame, encodeAgentFrame, protocolVersion } from "@fleetmark/shared/wire/frames";
import type { NatsConnection } from "@nats-io/transport-node";
import type { ClockOffsetMeter } from "./clock-offset.js";
import type { Introduction } from "./link-options.js";
import { answerWithinMs } from "./nats-jetstream.js";

/**
 * Says Hello to whichever collectors listen. Resolves with the first Welcome.
 * @throws FleetmarkError of the collector that refuses, or what the library throws when none answers
 */
async function sayHello(connection: NatsConnection, introduction: Introduction, askedUs: number): Promise<Welcome> {
  const value = { protocolVersion, sentUs: BigInt(askedUs), ...introduction };
  const hello = create(AgentFrameSchema, { frame: { case: "hello", value } });
  const subject = natsSubject("hello", introduction.host);
  const { headers, data } = await connection.request(subject, encodeAgentFrame(hello), { timeout: answerWithinMs });
  const code = headers?.get("Fleetmark-Code") ?? "";
  if (code !== "") {
    const known = isErrorCode(code) ? code : "COLLECTOR_FAILED";
    throw new FleetmarkError(known, (headers?.get("Fleetmark-Message") ?? "").slice(0, 500));
  }
  const { frame } = decodeCollectorFrame(data);
  if (frame.case !== "welcome") throw new FleetmarkError("PROTOCOL_VIOLATION", `a ${frame.case} in answer to Hello`);
  return frame.value;
}

/** Checks that the collector speaks what this agent speaks. */
function checkWelcome(welcome: Welcome): void {
  if (welcome.protocolVersion === protocolVersion) return;
  const message = `the collector speaks protocol version ${welcome.protocolVersion}, this agent ${protocolVersion}`;
  throw new FleetmarkError("PROTOCOL_MISMATCH", message);
}

export interface GreetingOptions {
  readonly introduction: Introduction;
  readonly clockOffset: ClockOffsetMeter;
  /** Between Hellos that are answered. */
  readonly intervalMs: number;
  readonly logger: Logger;
  /** Whether the connection is still the one to use. */
  isWanted(): boolean;
  onWelcome(welcome: Welcome): void;
  onRefusal(reason: FleetmarkError): void;
}

/** Seconds between Hellos that nobody answers: double each time, up to this. */
const longestWait = 30;

/** Says Hello until a collector is there, and then again and again, for as long as the connection is wanted. */
export async function keepGreeting(connection: NatsConnection, options: GreetingOptions): Promise<void> {
  const { introduction, clockOffset, intervalMs, logger } = options;
  let unanswered = 0;
  while (options.isWanted()) {
    let waitMs = intervalMs;
    try {
      const question = clockOffset.ask();
      const welcome = await sayHello(connection, introduction, question.askedUs);
      if (welcome.clock !== undefined) clockOffset.recordReply(question, welcome.clock);
      checkWelcome(welcome);
      unanswered = 0;
      options.onWelcome(welcome);
    } catch (thrown) {
      waitMs = 1000 * Math.min(longestWait, 2 ** unanswered++);
      if (thrown instanceof FleetmarkError) options.onRefusal(thrown);
      else logger.debug({ event: "no_collector" }, errorMessage(thrown));
    }
    // A fleet that was cut off together does not speak in one moment.
    await wait(waitMs * (0.75 + Math.random() / 2), undefined, { ref: false });
  }
}
