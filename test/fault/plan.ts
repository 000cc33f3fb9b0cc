import { createRandom, drawInteger, type Random } from "@fleetmark/shared/stats/random";

/** One fault of a run. */
export interface PlannedFault {
  readonly kind: string;
  /** Chooses what it strikes, in [0, 1). */
  readonly pick: number;
  /** How long it lasts. */
  readonly seconds: number;
  /** How long things may run undisturbed before it. */
  readonly calmS: number;
  /** Strikes while the one before it lasts. */
  readonly joins: boolean;
}

export interface FaultBounds {
  /** Seconds, from and to; a tenth of all last up to `longS`. */
  readonly shortS: readonly [number, number];
  readonly longS: number;
  /** The longest calm between two. */
  readonly calmS: number;
}

function drawBetween(random: Random, [from, to]: readonly [number, number]): number {
  return from + random() * (to - from);
}

/** Puts the kinds in an order by chance. */
function shuffle<T>(random: Random, items: readonly T[]): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = drawInteger(random, i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}

/** Plans faults. The same seed gives the same plan; every kind comes once before any comes again. */
export function planFaults(seed: number, kinds: readonly string[], count: number, bounds: FaultBounds): PlannedFault[] {
  const random = createRandom(seed);
  const plan: PlannedFault[] = [];
  let deck: string[] = [];
  while (plan.length < count && kinds.length > 0) {
    if (deck.length === 0) deck = shuffle(random, kinds);
    const long = random() < 0.1;
    plan.push({
      kind: deck.pop() as string,
      pick: random(),
      seconds: long ? drawBetween(random, [bounds.shortS[1], bounds.longS]) : drawBetween(random, bounds.shortS),
      calmS: random() * bounds.calmS,
      joins: plan.length > 0 && random() < 0.25,
    });
  }
  return plan;
}
