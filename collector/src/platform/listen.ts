import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";

/** Says why a server could not listen: PORT_TAKEN or LISTEN_FAILED. */
export function explainListenFailure(what: string, address: Address, thrown: unknown): FleetmarkError {
  const message = errorMessage(thrown);
  const code: ErrorCode = message.includes("EADDRINUSE") ? "PORT_TAKEN" : "LISTEN_FAILED";
  const reason = code === "PORT_TAKEN" ? "another process listens there" : message;
  return new FleetmarkError(code, `cannot listen for ${what} on ${formatAddress(address)}: ${reason}`, { cause: thrown });
}
