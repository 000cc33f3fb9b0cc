import { once, type Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import type { Bench } from "../runs/bench.js";
import { type InquiryGate, startInquiry } from "./inquiry.js";
import { type Findings, type HostDescription, updateDescription } from "./introduction.js";
import { readInventory } from "./inventory.js";

/** Seconds of patience with what tools find out; nothing waits for it. */
const patience = { facts: 60, inventory: 30 } as const;

/** Seconds between two inventories: a host may be given a disk or lose a GPU while the agent runs. */
const inventoryInterval = 86_400;

export interface HostInquiriesOptions {
  /** Where what is found out is written. */
  readonly description: HostDescription;
  readonly bench: Pick<Bench, "readHostFacts" | "nameHardwareClass" | "recallHardwareClass">;
  /** Where is remembered what tools told last. */
  readonly stateFolder: string;
  readonly gate: InquiryGate;
  readonly logger: Logger;
  /** Called when the description has changed. */
  onNews(): void;
}

export interface HostInquiries extends Running {
  /** Resolves once the hardware class is known. */
  readonly factsKnown: Promise<void>;
  /** Takes the inventory anew now. */
  takeInventory(): void;
}

/** Starts to find out what the host is made of, by tools that may be slow or hang. */
export function startHostInquiries(options: HostInquiriesOptions): HostInquiries {
  const { description, bench, stateFolder, gate, logger, onNews } = options;
  const learn = (found: Findings): void => {
    if (updateDescription(description, found)) onNews();
  };
  let resolveFacts = (): void => {};
  const factsKnown = new Promise<void>((resolve) => {
    resolveFacts = resolve;
  });
  // A host keeps its class while a tool is slow or hangs. Where this fails, the facts below tell, or why they can't.
  const recalled = bench.recallHardwareClass({ stateFolder }).catch(() => undefined);
  void recalled.then((hardwareClass) => {
    if (description.facts === undefined && hardwareClass !== undefined) learn({ hardwareClass });
  });
  const facts = startInquiry({
    ask: () => bench.readHostFacts({ stateFolder }),
    onAnswer: (found) => {
      for (const finding of found.findings) logger.warn({ event: "host_finding" }, finding);
      learn({ facts: found, hardwareClass: bench.nameHardwareClass(found) });
      resolveFacts();
    },
    deadline: patience.facts,
    again: undefined,
    gate,
    logger,
  });
  const inventory = startInquiry({
    ask: (signal) => readInventory(patience.inventory, signal),
    onAnswer: (found) => learn({ inventory: found }),
    deadline: patience.inventory,
    again: inventoryInterval,
    gate,
    logger,
  });
  return {
    factsKnown,
    takeInventory: inventory.hurry,
    stop: once(async () => {
      await Promise.all([facts.stop(), inventory.stop()]);
    }),
  };
}
