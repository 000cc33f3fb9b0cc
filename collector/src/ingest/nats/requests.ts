import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { natsSubjects } from "@fleetmark/shared/nats/subjects";
import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import type { Metrics } from "../../telemetry/metrics.js";
import type { Attendance } from "./presence.js";

export interface ReceptionParts {
  readonly attendance: Attendance;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Makes headers for an answer: the client library is loaded only where NATS is used. */
  readonly makeHeaders: () => MsgHdrs;
}

/** Makes the headers that tell an agent why it is refused, as gRPC's metadata does. */
function refuse(makeHeaders: () => MsgHdrs, code: string, message: string): MsgHdrs {
  const headers = makeHeaders();
  headers.set("Fleetmark-Code", code);
  headers.set("Fleetmark-Message", message.replaceAll(/[\r\n]+/g, " ").slice(0, 500));
  return headers;
}

/** Hears agents' Hellos and progress, for as long as the connection lasts. No message, whatever it holds, ends more than itself. */
export function receiveAgents(connection: NatsConnection, { attendance, metrics, logger, makeHeaders }: ReceptionParts): void {
  const guard = (take: (message: Msg) => void) => (error: Error | null, message: Msg) => {
    // A subscription that the server refuses is told by the connection.
    if (error !== null) return;
    try {
      take(message);
    } catch (thrown) {
      const known = thrown instanceof FleetmarkError;
      const code = known ? thrown.code : "INTERNAL";
      metrics.streamsRefused.inc({ code });
      logger[known ? "warn" : "error"]({ event: "message_refused", subject: message.subject, code }, errorMessage(thrown));
      message.respond("", { headers: refuse(makeHeaders, code, errorMessage(thrown)) });
    }
  };
  const answerHello = guard((message) => void message.respond(attendance.greet(message.subject, message.data)));
  connection.subscribe(natsSubjects("hello"), { callback: answerHello });
  const takeProgress = guard((message) => attendance.takeProgress(message.subject, message.data));
  connection.subscribe(natsSubjects("progress"), { callback: takeProgress });
}
