import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";

/** Codes of the server's API errors, server/errors.json of nats-server. */
const notEnabled = [10_039, 10_076];

/** Says what a JetStream request met. */
export function jetStreamError(thrown: unknown): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  const { name, code } = thrown instanceof Error ? (thrown as Error & { code?: unknown }) : { name: "", code: undefined };
  if (name === "JetStreamNotEnabled" || notEnabled.includes(Number(code))) {
    const message = "no JetStream answers: it is off for this server or account, or its cluster has no leader at the moment";
    return new FleetmarkError("NATS_NO_JETSTREAM", message, { cause: thrown });
  }
  return new FleetmarkError("NATS_FAILED", `JetStream: ${errorMessage(thrown)}`, { cause: thrown });
}
