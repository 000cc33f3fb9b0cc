import { describe } from "vitest";
import { findServer } from "./servers.js";

/** A group of tests as `describe` makes one; where it can't run here, it is skipped and its name says why. */
export type Describe = (name: string, body: () => void) => void;

/** Groups tests that need something of this machine; `obstacle` says what it lacks. */
export function describeUnless(obstacle: string | undefined): Describe {
  return (name, body) => {
    if (obstacle === undefined) describe(name, body);
    else describe.skip(`${name} (skipped: ${obstacle})`, body);
  };
}

/** Says which of these servers are not here; undefined when all are. */
export function missingServers(...servers: readonly string[]): string | undefined {
  const missing = servers.filter((name) => findServer(name) === undefined);
  return missing.length === 0 ? undefined : `${missing.join(" and ")} not found; \`make servers\` unpacks it`;
}

/** Groups tests that need servers: `make servers` unpacks them. */
export function describeWith(...servers: readonly string[]): Describe {
  return describeUnless(missingServers(...servers));
}
