import { errorMessage } from "@fleetmark/shared/errors";
import type { ToolOutcome, ToolState } from "@fleetmark/shared/tools/tool-runner";
import { type Card, type NvidiaLog, parseNvidiaLog } from "./nvidia-log.js";
import { runVendorTool } from "./vendor-tool.js";

/*
 * Asks nvidia-smi for all that it knows of the cards.
 *
 *   all cards ──► a whole document ──► cards
 *             ──► no handle for one of them (exit 15, and nothing of the others)
 *                        └──► each known card for itself ──► those that answer; the others are lost
 *             ──► no end, no such program, an error, half a document ──► the reason
 */

/** What the tool told, or why it told nothing. */
export type CardsTold =
  | {
      readonly state: "ok";
      readonly log: NvidiaLog;
      /** Cards that were known and give no answer: why, by address. */
      readonly lost: ReadonlyMap<string, string>;
      readonly seconds: number;
    }
  | { readonly state: Exclude<ToolState, "ok">; readonly reason: string; readonly seconds: number };

/** Runs nvidia-smi with some arguments. */
export type RunSmi = (args: readonly string[]) => Promise<ToolOutcome>;

const limits = { maxBytes: 32 * 2 ** 20 } as const;

/**
 * Returns what runs nvidia-smi and never waits longer than `deadlineS`: without persistence mode the driver is loaded
 * anew for each question, which takes seconds a card.
 * @param name while a process under it lives, no second one is begun
 */
export function createSmiRunner(name: string, deadlineS: number, signal?: AbortSignal): RunSmi {
  const options = { ...limits, deadlineS, signal };
  return (args) => runVendorTool(name, "nvidia-smi", args, options);
}

const query = ["-q", "-x"] as const;

function read(outcome: ToolOutcome): CardsTold {
  if (outcome.state !== "ok") return outcome;
  const { seconds } = outcome;
  try {
    return { state: "ok", log: parseNvidiaLog(outcome.stdout), lost: new Map(), seconds };
  } catch (thrown) {
    const reason = `it printed no whole document (${errorMessage(thrown).slice(0, 200)})`;
    return { state: "failed", reason, seconds };
  }
}

/** The tool gives up on all cards where the driver has no handle for one of them. */
const noHandle = /unable to determine the device handle|GPU is lost|requires reset/i;

async function askSingly(run: RunSmi, known: readonly Card[], failure: CardsTold & { reason: string }): Promise<CardsTold> {
  const cards: Card[] = [];
  const lost = new Map<string, string>();
  let head: NvidiaLog | undefined;
  let { seconds } = failure;
  for (const { address, index } of known) {
    const told = read(await run([...query, "-i", address]));
    seconds += told.seconds;
    const [card] = told.state === "ok" ? told.log.cards : [];
    if (told.state === "ok" && card !== undefined) {
      head ??= told.log;
      cards.push({ ...card, index });
    } else lost.set(address, told.state === "ok" ? failure.reason : told.reason);
    // Whatever hangs once is not asked again and again.
    if (told.state === "timed_out" || told.state === "hung") break;
  }
  return head === undefined ? failure : { state: "ok", log: { ...head, attached: known.length, cards }, lost, seconds };
}

/**
 * Asks for all cards. It never throws, and waits no longer than the runner does.
 * @param known the cards of the time before
 */
export async function askNvidiaCards(run: RunSmi, known: readonly Card[] = []): Promise<CardsTold> {
  const told = read(await run(query));
  if (told.state !== "failed" || known.length < 2 || !noHandle.test(told.reason)) return told;
  return askSingly(run, known, told);
}
