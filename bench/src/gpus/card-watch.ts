import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Metadata } from "@fleetmark/shared/model/result";
import { median } from "@fleetmark/shared/stats/quantiles";
import { type CardPlace, nameDevice } from "./card-place.js";
import { askNvidiaCards, createSmiRunner, type RunSmi } from "./nvidia-cards.js";
import { type EventReason, slowingReasons } from "./nvidia-fields.js";
import type { Card } from "./nvidia-log.js";

/*
 * What a card went through while it was measured: looked at before its process begins, from the beginning of the timed
 * section to its end, and then. Counters tell of the time between two looks as well.
 */

/** Seconds between two looks: each is a process of a tenth of a second. */
const everyS = 0.5;
const deadlineS = 10;

/** A card that others use this much is not measured. */
const busy = { utilizationPercent: 10, waitS: 5 } as const;

/** A reason that held for less of the time than this disturbs nothing. */
const leastShare = 0.02;

interface Look {
  readonly atS: number;
  readonly card: Card;
}

export interface CardWatch {
  /** True when the timed section begins, false when it ends: what lies around it is not measured, and not looked at. */
  onTimed(isTimed: boolean): void;
  /** Ends the watch. */
  stop(): Promise<CardCourse>;
}

interface Course {
  readonly before: Look | undefined;
  readonly during: Look[];
  after: Look | undefined;
}

/** What was seen of a card. */
export interface CardCourse {
  readonly metadata: Metadata;
  /** What held it back or disturbed it, in words; empty if nothing did. */
  readonly disturbance: string;
}

async function look(run: RunSmi, { uuid }: CardPlace, startedMs: number): Promise<Look | undefined> {
  const told = await askNvidiaCards((args) => run([...args, "-i", uuid]));
  const card = told.state === "ok" ? told.log.cards.find((each) => each.uuid === uuid) : undefined;
  return card === undefined ? undefined : { atS: (performance.now() - startedMs) / 1e3, card };
}

/** Not let go of by the process: else it would end here where nothing else is under way. */
const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1e3));

/** Says who uses a card; empty if nobody does. */
function describeUse({ fields, processes }: Pick<Card, "fields" | "processes">): string {
  const computing = processes.filter(({ type }) => type.includes("C"));
  const utilization = Number(fields.utilization_gpu ?? 0);
  const parts = [
    ...computing
      .slice(0, 3)
      .map(({ pid, name }) => `process ${pid}${name === "" ? "" : ` (${name.split("/").at(-1)?.slice(0, 60)})`}`),
    ...(computing.length > 3 ? [`${computing.length - 3} more`] : []),
    ...(utilization > busy.utilizationPercent ? [`${utilization} % utilised`] : []),
  ];
  return parts.join(", ");
}

/**
 * Waits until nobody uses the card: what the process before left behind is gone after a moment.
 * @throws FleetmarkError DEVICE_BUSY that says who uses it
 */
async function awaitIdle(run: RunSmi, place: CardPlace, startedMs: number, signal?: AbortSignal): Promise<Look | undefined> {
  for (;;) {
    signal?.throwIfAborted();
    const seen = await look(run, place, startedMs);
    const use = seen === undefined ? "" : describeUse(seen.card);
    if (use === "") return seen;
    if ((seen?.atS ?? 0) > busy.waitS) throw new FleetmarkError("DEVICE_BUSY", `${nameDevice(place)} is used by others: ${use}`);
    await pause(0.5);
  }
}

/**
 * Begins to watch a card that is about to be measured.
 * @throws FleetmarkError DEVICE_BUSY when others use it; the signal's reason when aborted meanwhile
 */
export async function watchCard(
  place: CardPlace,
  signal?: AbortSignal,
  run: RunSmi = createSmiRunner(`nvidia-smi -q of ${place.uuid}`, deadlineS, signal),
): Promise<CardWatch> {
  const startedMs = performance.now();
  const course: Course = { before: await awaitIdle(run, place, startedMs, signal), during: [], after: undefined };
  let isTimed = false;
  let watching: Promise<void> = Promise.resolve();
  const lookOn = async (): Promise<void> => {
    while (isTimed) {
      const seen = await look(run, place, startedMs);
      if (seen !== undefined) course.during.push(seen);
      if (isTimed) await pause(everyS);
    }
  };
  const lookLast = async (): Promise<void> => {
    await watching;
    course.after = await look(run, place, startedMs);
  };
  let ending: Promise<void> | undefined;
  return {
    onTimed: (now) => {
      if (now === isTimed || ending !== undefined) return;
      isTimed = now;
      if (now) watching = lookOn();
      else ending = lookLast();
    },
    stop: async () => {
      isTimed = false;
      ending ??= lookLast();
      await ending;
      return describeCourse(place, course);
    },
  };
}

function numbersOf(looks: readonly Look[], field: string): number[] {
  return looks.flatMap(({ card }) => (typeof card.fields[field] === "number" ? [card.fields[field]] : []));
}

function typical(key: string, values: readonly number[], choose: (values: readonly number[]) => number = median): Metadata {
  return values.length === 0 ? {} : { [key]: choose(values) };
}

const largest = (values: readonly number[]): number => Math.max(...values);

/** Looks while it worked; all of them where no utilisation is told. */
function selectWorking(during: readonly Look[]): readonly Look[] {
  const working = during.filter(({ card }) => Number(card.fields.utilization_gpu ?? 0) > 0);
  return working.length === 0 ? during : working;
}

/** Shares of the time that each reason held for: by its counter, else by how many of the looks saw it. */
function listShares({ before, during, after }: Course): Map<EventReason, number> {
  const shares = new Map<EventReason, number>();
  const first = during[0] ?? before;
  const elapsedUs = first === undefined || after === undefined ? 0 : 1e6 * (after.atS - first.atS);
  const working = selectWorking(during);
  for (const reason of slowingReasons) {
    const seen = numbersOf(working, `event_reason_${reason}`);
    const bySight = seen.length === 0 ? undefined : seen.reduce((a, b) => a + b, 0) / seen.length;
    const field = `event_us_${reason}`;
    const [from, to] = [first?.card.fields[field], after?.card.fields[field]];
    const counted =
      typeof from === "number" && typeof to === "number" && to >= from && elapsedUs > 0
        ? Math.min(1, (to - from) / elapsedUs)
        : undefined;
    const share = counted ?? bySight;
    if (share !== undefined) shares.set(reason, share);
  }
  return shares;
}

const words: Readonly<Partial<Record<EventReason, string>>> = {
  sw_power_cap: "power capped",
  hw_slowdown: "slowed down by the hardware",
  hw_thermal_slowdown: "slowed down by the hardware for its temperature",
  hw_power_brake_slowdown: "braked by the power supply",
  sw_thermal_slowdown: "slowed down for its temperature",
};

const percent = (share: number): string => `${Math.round(100 * share)} %`;

function grow(field: string, before: Look | undefined, after: Look | undefined): number {
  const [from, to] = [before?.card.fields[field], after?.card.fields[field]];
  return typeof from === "number" && typeof to === "number" ? Math.max(0, to - from) : 0;
}

/** Says what held a card back, unless it is a power cap at the card's own default: that is how the card is built. */
function describeReason(reason: EventReason, share: number, last: Look | undefined): string[] {
  if (share < leastShare) return [];
  const held = `${words[reason]} ${percent(share)} of the run`;
  if (reason !== "sw_power_cap") return [held];
  const { power_limit: limit, power_default_limit: usual } = last?.card.fields ?? {};
  const isLowered = typeof limit === "number" && typeof usual === "number" && limit < usual;
  return isLowered ? [`${held}, limit ${limit} of ${usual} W`] : [];
}

function listDisturbances(shares: ReadonlyMap<EventReason, number>, { before, during, after }: Course): string[] {
  const last = after ?? during.at(-1) ?? before;
  const found = [...shares].flatMap(([reason, share]) => describeReason(reason, share, last));
  const errors = grow("ecc_volatile_uncorrectable", before, after);
  if (errors > 0) found.push(`${errors} uncorrectable memory errors`);
  const working = selectWorking(during);
  const [width, widest] = [numbersOf(working, "pcie_link_width_current"), numbersOf(working, "pcie_link_width_max")];
  if (width.length > 0 && widest.length > 0 && largest(width) < largest(widest))
    found.push(`PCIe ${largest(width)} lanes wide of ${largest(widest)}`);
  if (before !== undefined && after === undefined) found.push("the card gave no answer at the end");
  return found;
}

function describeCourse(place: CardPlace, course: Course): CardCourse {
  const { before, during, after } = course;
  const all = [before, ...during, after].filter((each) => each !== undefined);
  const working = selectWorking(during);
  const shares = listShares(course);
  const sm = numbersOf(working, "clocks_current_sm");
  const most = numbersOf(all, "clocks_max_sm");
  const metadata: Metadata = {
    card_index: place.index,
    card_uuid: place.uuid,
    card_name: place.name,
    card_looks: all.length,
    ...typical("card_temperature_before_c", numbersOf(all.slice(0, 1), "temperature_gpu")),
    ...typical("card_temperature_c", numbersOf(all, "temperature_gpu"), largest),
    ...typical("card_memory_temperature_c", numbersOf(all, "temperature_memory"), largest),
    ...typical("card_power_w", numbersOf(working, "power_draw")),
    ...typical("card_power_most_w", [...numbersOf(during, "power_draw"), ...numbersOf(during, "power_draw_instant")], largest),
    ...typical("card_power_limit_w", numbersOf(all, "power_limit"), (values) => Math.min(...values)),
    ...typical("card_power_default_limit_w", numbersOf(all, "power_default_limit")),
    ...typical("card_sm_clock_mhz", sm),
    ...typical("card_sm_clock_low_mhz", sm, (values) => Math.min(...values)),
    ...typical("card_sm_clock_max_mhz", most, largest),
    ...typical("card_memory_clock_mhz", numbersOf(working, "clocks_current_memory")),
    ...typical("card_utilization_percent", numbersOf(working, "utilization_gpu")),
    ...typical("card_memory_used_mib", numbersOf(all, "memory_used"), largest),
    ...typical("card_pcie_generation", numbersOf(working, "pcie_link_gen_current"), largest),
    ...typical("card_pcie_width", numbersOf(working, "pcie_link_width_current"), largest),
    card_ecc_uncorrectable: grow("ecc_volatile_uncorrectable", before, after),
    ...Object.fromEntries([...shares].map(([reason, share]) => [`card_${reason}_percent`, 100 * share])),
  };
  return { metadata, disturbance: listDisturbances(shares, course).join("; ") };
}
