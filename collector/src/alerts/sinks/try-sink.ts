import type { ToldAlert } from "@fleetmark/shared/alerting/groups";
import { errorMessage } from "@fleetmark/shared/errors";
import type { Sink } from "./sink.js";

export interface TestedSink {
  readonly sink: string;
  readonly place: string;
  /** Why it did not take the message; empty where it did. */
  readonly failure: string;
}

/** What is told where somebody tries whether people would hear of an alert. */
function makeTest(nowUs: number): ToldAlert {
  return {
    id: "test",
    name: "Test of alerts",
    severity: "critical",
    labels: {},
    summary: "somebody tries whether alerts arrive here",
    description: "Nothing is wrong: `fleetmark alert test` was called.",
    runbook: "",
    value: 0,
    threshold: 0,
    sinceUs: nowUs,
  };
}

/** Sends a message by a way, and says whether it took it. */
export async function trySink(sink: Sink, nowUs: number): Promise<TestedSink> {
  const alert = makeTest(nowUs);
  const { name, place } = sink;
  try {
    if (sink.kind === "messages") await sink.send({ group: alert.name, firing: [alert], resolved: [], isReminder: false });
    else {
      await sink.sync([alert], [], nowUs);
      await sink.sync([], [{ ...alert, resolvedUs: nowUs }], nowUs);
    }
    return { sink: name, place, failure: "" };
  } catch (thrown) {
    return { sink: name, place, failure: errorMessage(thrown) };
  }
}
