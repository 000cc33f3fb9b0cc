import { setTimeout as delay } from "node:timers/promises";
import type { ManagedProcess } from "../testbed/managed-process.js";
import type { Topology } from "./topology.js";

/** Ends a fault and resolves when what it struck is as before. */
export type Undo = () => Promise<void>;

/** A way in which something fails. */
export interface FaultKind {
  readonly name: string;
  /** What it needs and this run lacks; undefined if it is possible. */
  obstacle(topology: Topology): string | undefined;
  /** Names what it would strike: two faults strike the same thing one after the other only. */
  strikes(topology: Topology, pick: number): string[];
  begin(topology: Topology, pick: number): Promise<Undo>;
}

export const absent = "not part of this topology";

/** Chooses one of several by a number in [0, 1). */
export function choose<T>(items: readonly T[], pick: number): T {
  return items[Math.floor(pick * items.length)];
}

/** Starts what was killed as a supervisor does: again and again until it stays, for its disk may be full yet. */
export async function startAgain(process: ManagedProcess): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await process.start();
      return;
    } catch (thrown) {
      if (attempt === 60) throw thrown;
      await delay(1000);
    }
  }
}
