import { FleetmarkError } from "@fleetmark/shared/errors";
import { isLoopback } from "@fleetmark/shared/model/units";

/** Returns the name in a Host header, in lower case and without its port; undefined for what is none. */
function readName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+?))\.?(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/**
 * Checks by which name a request came. A page of a stranger's site can point its own name at this machine's loopback
 * address and then read whatever answers there, from the browser of anyone who looks at it (DNS rebinding); its
 * requests still carry that name.
 * @param header Host, which every browser sends
 * @param allowed names beside this machine's own, under which a proxy hands requests on
 * @throws FleetmarkError HTTP_HOST_UNKNOWN
 */
export function checkHostName(header: string | undefined, allowed: readonly string[]): void {
  if (header === undefined) return;
  const name = readName(header);
  if (name !== undefined && (isLoopback({ host: name, port: 0 }) || allowed.some((each) => each.toLowerCase() === name))) return;
  const shown = JSON.stringify(header.slice(0, 255));
  throw new FleetmarkError("HTTP_HOST_UNKNOWN", `the request names this server ${shown}`);
}
