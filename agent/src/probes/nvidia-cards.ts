import {
  askNvidiaCards,
  type Card,
  type CardsTold,
  createSmiRunner,
  isLost,
  type NvidiaLog,
  type RunSmi,
} from "@fleetmark/bench/gpus";
import type { Point } from "@fleetmark/shared/model/series";
import { toTagValue } from "../host/tag-value.js";
import { FailedSample, type OpenProbe } from "./probe.js";

/*
 * The state of NVIDIA's cards, by Telegraf's measurements `nvidia_smi` and `nvidia_smi_mig`, and how the tool does that
 * tells it: `gpu_tool_state`. A host whose card is broken is the one that matters most, so what is left is told:
 *
 *   tool ok ────► a point a card; one that was there and is not, or can't be read, has lost = 1
 *   tool fails ─► the state with the reason, lost = 1 for no card: nothing is known of them
 *   no tool ────► unavailable, and looked for again later
 */

/** Seconds of patience with the tool: without persistence mode it loads the driver anew for each card. */
const deadlineS = 30;
/** A missing tool is looked for again after so long: a driver may be installed under a running agent. */
const lookAgainUs = 300e6;
/** Texts are told when they change, and again after so long. */
const tellAgainUs = 300e6;
/** The tool's answers are slow from here on, seconds. */
const slowS = 2;

type Fields = Record<string, number | string>;

/** Keeps texts from being told each time: a serial number does not change. */
interface Teller {
  readonly told: Map<string, { readonly text: string; readonly timeUs: number }>;
}

function dropToldTexts({ told }: Teller, key: string, fields: Readonly<Fields>, nowUs: number): Fields {
  const kept = Object.entries(fields).filter(([field, value]) => {
    if (typeof value === "number") return true;
    const last = told.get(`${key} ${field}`);
    if (last !== undefined && last.text === value && nowUs - last.timeUs < tellAgainUs) return false;
    told.set(`${key} ${field}`, { text: value, timeUs: nowUs });
    return true;
  });
  return Object.fromEntries(kept);
}

/** Tags that tell something, as Telegraf has them. */
function tagWith(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).flatMap(([key, value]) => (value === "" ? [] : [[key, toTagValue(value)]])));
}

function tagCard({ performanceState, name, architecture, uuid, computeMode }: Card): Record<string, string> {
  return { pstate: performanceState, name, arch: architecture, uuid, compute_mode: computeMode };
}

function summarizeProcesses({ processes }: Card): Fields {
  const memory = processes.flatMap((each) => (each.memory === undefined ? [] : [each.memory]));
  return {
    process_count: processes.length,
    ...(memory.length === 0 ? {} : { process_memory: memory.reduce((a, b) => a + b, 0) }),
  };
}

function describeCard(card: Card, { driverVersion, cudaVersion }: NvidiaLog): Fields {
  const unreadable = Object.entries(card.unreadable);
  const strange = Object.keys(card.strange);
  return {
    ...(driverVersion === undefined ? {} : { driver_version: driverVersion }),
    ...(cudaVersion === undefined ? {} : { cuda_version: cudaVersion }),
    ...card.fields,
    ...summarizeProcesses(card),
    lost: isLost(card) ? 1 : 0,
    unreadable: unreadable.length,
    ...(unreadable.length === 0 ? {} : { unreadable_reason: `${unreadable[0][0]}: ${unreadable[0][1]}` }),
    ...(strange.length === 0 ? {} : { strange_fields: strange.join(" ").slice(0, 500) }),
  };
}

function pointsOf(card: Card, log: NvidiaLog, teller: Teller, timeUs: number): Point[] {
  const index = String(card.index);
  const fields = dropToldTexts(teller, card.uuid || index, describeCard(card, log), timeUs);
  const slices = card.slices.map((slice): Point => {
    const tags = { index: slice.index, gpu_index: slice.gpuInstance, compute_index: slice.computeInstance, ...tagCard(card) };
    return { measurement: "nvidia_smi_mig", tags: tagWith(tags), timeUs, fields: slice.fields };
  });
  const own = { measurement: "nvidia_smi", tags: tagWith({ index, ...tagCard(card) }), timeUs, fields };
  return [own, ...slices.filter((slice) => Object.keys(slice.fields).length > 0)];
}

function tellLost(card: Card, reason: string, teller: Teller, timeUs: number): Point {
  const index = String(card.index);
  // Of a card that is gone nobody knows the state.
  const tags = tagWith({ index, ...tagCard(card), pstate: "" });
  return {
    measurement: "nvidia_smi",
    tags,
    timeUs,
    fields: dropToldTexts(teller, card.uuid || index, { lost: 1, lost_reason: reason }, timeUs),
  };
}

interface SmiState {
  readonly run: RunSmi;
  readonly teller: Teller;
  /** Cards as they were when they were seen last, by index. */
  readonly known: Map<number, Card>;
  absentUntilUs: number;
}

function describeTool(told: CardsTold, lost: number): Fields {
  if (told.state !== "ok") return { state: told.state, reason: told.reason.slice(0, 1000), seconds: told.seconds };
  const { cards, attached } = told.log;
  return {
    state: told.seconds >= slowS ? "slow" : "ok",
    ...(told.seconds < slowS ? {} : { reason: explainSlow(cards) }),
    seconds: told.seconds,
    cards: cards.length,
    cards_lost: lost,
    ...(attached === undefined ? {} : { cards_attached: attached }),
  };
}

function explainSlow(cards: readonly Card[]): string {
  const isOff = cards.some(({ fields }) => fields.persistence_mode === 0);
  return isOff
    ? "persistence mode is off: the driver is loaded anew for each question (nvidia-smi -pm 1, or nvidia-persistenced, keeps it loaded)"
    : "the driver is slow to answer";
}

/** Cards that were there before and of which nothing is told now. */
function findMissing({ known }: SmiState, { log, lost }: CardsTold & { state: "ok" }): { card: Card; reason: string }[] {
  const seen = new Set(log.cards.map(({ index }) => index));
  return [...known.values()].flatMap((card) => {
    if (seen.has(card.index)) return [];
    const reason = lost.get(card.address) ?? (lost.size === 0 ? "the driver does not list it any more" : undefined);
    return reason === undefined ? [] : [{ card, reason }];
  });
}

function tellTool(told: CardsTold, lost: number, timeUs: number): Point {
  return { measurement: "gpu_tool_state", tags: { tool: "nvidia-smi" }, timeUs, fields: describeTool(told, lost) };
}

function rememberCards({ known }: SmiState, cards: readonly Card[]): void {
  for (const card of cards) {
    // Another card in the same place, or the same one by another number: what was known is over.
    for (const [index, former] of known) if (former.uuid === card.uuid && index !== card.index) known.delete(index);
    known.set(card.index, card);
  }
}

function failAbsent(): never {
  throw Object.assign(new Error("nvidia-smi was not found"), { code: "ENOENT" });
}

async function sample(state: SmiState, timeUs: number): Promise<Point[]> {
  if (timeUs < state.absentUntilUs && timeUs > state.absentUntilUs - lookAgainUs) failAbsent();
  const known = [...state.known.values()].sort((a, b) => a.index - b.index);
  const told = await askNvidiaCards(state.run, known);
  if (told.state === "absent" && known.length === 0) {
    state.absentUntilUs = timeUs + lookAgainUs;
    failAbsent();
  }
  if (told.state !== "ok") throw new FailedSample(`nvidia-smi: ${told.reason}`, [tellTool(told, 0, timeUs)]);
  const missing = findMissing(state, told);
  rememberCards(state, told.log.cards);
  const lost = missing.length + told.log.cards.filter(isLost).length;
  return [
    ...told.log.cards.flatMap((card) => pointsOf(card, told.log, state.teller, timeUs)),
    ...missing.map(({ card, reason }) => tellLost(card, reason, state.teller, timeUs)),
    tellTool(told, lost, timeUs),
  ];
}

/** @param run asks the tool; default: the host's own */
export function openNvidiaSmi(run?: RunSmi): OpenProbe {
  const ending = new AbortController();
  const state: SmiState = {
    run: run ?? createSmiRunner("nvidia-smi -q", deadlineS, ending.signal),
    teller: { told: new Map() },
    known: new Map(),
    absentUntilUs: 0,
  };
  return { sample: (nowUs) => sample(state, nowUs), close: () => ending.abort() };
}
