import { FleetmarkError } from "@fleetmark/shared/errors";
import { type CardPlace, nameDevice } from "../gpus/card-place.js";
import { askNvidiaCards, createSmiRunner, type RunSmi } from "../gpus/nvidia-cards.js";
import { type Card, isLost } from "../gpus/nvidia-log.js";
import type { Benchmark } from "../workloads/workload.js";

const deadlineS = 30;

/** Asks once which cards there are that can be measured; none where the tool tells of none, or the signal aborts. */
export async function findCards(
  signal?: AbortSignal,
  run: RunSmi = createSmiRunner("nvidia-smi -q of a suite", deadlineS, signal),
): Promise<readonly Card[]> {
  const told = await askNvidiaCards(run);
  return told.state === "ok" ? told.log.cards.filter((card) => !isLost(card)) : [];
}

/** Puts a benchmark of a GPU's onto one card. */
function place(benchmark: Benchmark, { index, uuid, name }: CardPlace): Benchmark {
  const { command } = benchmark;
  if (command === undefined) return benchmark;
  const device = nameDevice({ index });
  const args = [...command.args, "--card", uuid, "--device", device];
  return { ...benchmark, device, card: { index, uuid, name }, command: { ...command, args } };
}

/** Whether it is measured once a card. */
export function isOfCards({ command, device }: Pick<Benchmark, "command" | "device">): boolean {
  return command !== undefined && device === "gpu";
}

/**
 * Puts the benchmarks of GPUs onto cards: one after the other, each of them whole, so that a suite that is cut short
 * has measured some cards in full. The others stay as they are, before them.
 * @param device such as `gpu3`; default: every card
 * @throws FleetmarkError RUNTIME_UNAVAILABLE when there is no such card, USAGE when nothing is measured on cards
 */
export function placeOnCards(benchmarks: readonly Benchmark[], cards: readonly CardPlace[], device?: string): Benchmark[] {
  const own = benchmarks.filter(isOfCards);
  if (device !== undefined && own.length === 0)
    throw new FleetmarkError("USAGE", `nothing of this is measured on ${device}: what is measured once a card is the suite gpu`);
  const chosen = device === undefined ? cards : cards.filter((card) => nameDevice(card) === device);
  if (device !== undefined && chosen.length === 0) {
    const known = cards.length === 0 ? "nvidia-smi tells of no card" : `there are ${cards.map(nameDevice).join(", ")}`;
    throw new FleetmarkError("RUNTIME_UNAVAILABLE", `there is no card ${device}: ${known}`);
  }
  const others = benchmarks.filter((benchmark) => !isOfCards(benchmark));
  if (chosen.length === 0) return [...benchmarks];
  return [...(device === undefined ? others : []), ...chosen.flatMap((card) => own.map((benchmark) => place(benchmark, card)))];
}
