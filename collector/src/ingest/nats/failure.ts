import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";

/** Codes of the server's API errors, server/errors.json of nats-server. */
const notEnabled = [10_039, 10_076];
const advice: Readonly<Record<number, string>> = {
  10005: "; nats.stream.replicas wants as many JetStream servers in the cluster",
  10028: "; nats.stream.max_bytes is more than the account may hold in memory",
  10047: "; lower nats.stream.max_bytes, or give JetStream more room (max_file)",
  10074: "; set nats.stream.replicas to 1, or make the servers a cluster",
};

/** Says what a JetStream request met. */
export function jetStreamError(thrown: unknown): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  const { name, code } = thrown instanceof Error ? (thrown as Error & { code?: unknown }) : { name: "", code: undefined };
  if (name === "JetStreamNotEnabled" || notEnabled.includes(Number(code))) {
    const message = "no JetStream answers: it is off for this server or account, or its cluster has no leader at the moment";
    return new FleetmarkError("NATS_NO_JETSTREAM", message, { cause: thrown });
  }
  return new FleetmarkError("NATS_FAILED", `JetStream: ${errorMessage(thrown)}${advice[Number(code)] ?? ""}`, { cause: thrown });
}
