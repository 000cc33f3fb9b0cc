import { writeTitle } from "@fleetmark/shared/alerting/message";
import type { Logger } from "@fleetmark/shared/log";
import type { MessageSink } from "./sink.js";

/** Tells the collector's own log, always. */
export function createLogSink(logger: Logger): MessageSink {
  return {
    kind: "messages",
    name: "log",
    place: "the collector's log",
    severity: "warning",
    send: async (notification) => {
      const { group, firing, resolved } = notification;
      const counts = { group, firing: firing.length, resolved: resolved.length };
      const summaries = [...firing, ...resolved].slice(0, 5).map(({ summary }) => summary);
      const title = writeTitle(notification);
      if (firing.length > 0) logger.warn({ event: "alerts_firing", ...counts, summaries }, title);
      else logger.info({ event: "alerts_resolved", ...counts, summaries }, title);
    },
  };
}
