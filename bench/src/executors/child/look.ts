import { timeReferenceWork } from "../../machine/pace.js";
import { readSnapshot, type Snapshot } from "../../machine/snapshot.js";

/**
 * Looks at the machine and at this process, in half a millisecond. The reference work is timed by this process and
 * no other: what slows it down is what shares the core that the measured work runs on.
 */
export function lookAround(core: number | undefined): Snapshot {
  return readSnapshot("self", core, timeReferenceWork());
}
