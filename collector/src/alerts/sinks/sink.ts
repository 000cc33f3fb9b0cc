import type { Notification, ToldAlert } from "@fleetmark/shared/alerting/groups";
import type { AlertSeverity } from "@fleetmark/shared/model/kpis";

/** A way by which people are told of alerts. */
interface SinkFacts {
  readonly name: string;
  /** Where it leads, in words that may be logged. */
  readonly place: string;
  /** The least severity that is told of by it. */
  readonly severity: AlertSeverity;
}

/** A way for messages: each group is told of when it changes, and again now and then. */
export interface MessageSink extends SinkFacts {
  readonly kind: "messages";
  /** Resolves when the message has arrived. @throws Error otherwise; it is tried again */
  send(notification: Notification): Promise<void>;
}

/** A way that keeps states: it is told again and again what fires, and decides itself whom to tell. */
export interface StateSink extends SinkFacts {
  readonly kind: "states";
  /**
   * @param resolved of late
   * @throws Error when it was not taken
   */
  sync(firing: readonly ToldAlert[], resolved: readonly ToldAlert[], nowUs: number): Promise<void>;
}

export type Sink = MessageSink | StateSink;

/** Whether a sink is told of alerts this severe. */
export function takesSeverity({ severity }: SinkFacts, alert: Pick<ToldAlert, "severity">): boolean {
  return severity === "warning" || alert.severity === "critical";
}
