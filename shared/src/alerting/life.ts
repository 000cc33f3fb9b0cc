/**
 * The life of one alert.
 *
 *            breach               breach for `for`
 *     none ─────────► pending ──────────────────────► firing ──────────────────► resolved
 *       ▲                │                              │  ▲    clear for `keep`
 *       └────────────────┘                              └──┘
 *          clear at once                     clear for less: it goes on
 *
 * Time is counted by a clock that is never set, in steps that are no longer than some evaluations: a clock that leaps
 * and a process that was stopped neither fire nor resolve anything.
 */
export interface Life {
  readonly state: "pending" | "firing";
  /** When the breach began, and when it was told of, microseconds since the Unix epoch: to be shown, not counted by. */
  readonly sinceUs: number;
  readonly firedUs: number | undefined;
  /** For how long it was breached while it was pending, or has been clear while it fires, seconds. */
  readonly countedS: number;
  /** Begins of late, microseconds since the Unix epoch: what comes and goes is kept for longer. */
  readonly begins: readonly number[];
}

/** What was found: that it is so, that it is not, or that it can't be told. */
export type Found = "breached" | "clear" | "unknown";

export interface Moment {
  /** Microseconds since the Unix epoch. */
  readonly nowUs: number;
  /** Seconds since the evaluation before, by a clock that is never set. */
  readonly elapsedS: number;
}

export interface Patience {
  /** For how long it must be breached before it fires, seconds. */
  readonly forS: number;
  /** For how long it must be clear before it is resolved, seconds. */
  readonly keepS: number;
}

/** What became of an alert, and whether that is to be told. */
export interface Step {
  /** Undefined where there is no alert any more. */
  readonly life: Life | undefined;
  readonly transition: "pending" | "firing" | "resolved" | undefined;
}

const dayUs = 86_400e6;
/** One that fires again and again within a day is kept for twice as long each time, up to so many times. */
const mostDamping = 16;
/** What is damped is kept for a multiple of this at least, seconds: what is read once a run has no time of its own. */
const leastDampedS = 300;

/** How much longer than usual an alert must be clear, for it has come and gone before. */
export function dampen(begins: readonly number[], nowUs: number): number {
  const recent = begins.filter((begin) => Math.abs(nowUs - begin) < dayUs).length;
  return Math.min(mostDamping, 2 ** Math.max(0, recent - 1));
}

function fire(sinceUs: number, begins: readonly number[], nowUs: number): Step {
  const kept = [...begins.filter((begin) => Math.abs(nowUs - begin) < dayUs), nowUs].slice(-16);
  return { life: { state: "firing", sinceUs, firedUs: nowUs, countedS: 0, begins: kept }, transition: "firing" };
}

function stepPending(life: Life, found: Found, { forS }: Patience, { nowUs, elapsedS }: Moment): Step {
  if (found === "clear") return { life: undefined, transition: "resolved" };
  if (found === "unknown") return { life, transition: undefined };
  const countedS = life.countedS + elapsedS;
  if (countedS >= forS) return fire(life.sinceUs, life.begins, nowUs);
  return { life: { ...life, countedS }, transition: undefined };
}

function stepFiring(life: Life, found: Found, { keepS }: Patience, { nowUs, elapsedS }: Moment): Step {
  if (found === "unknown") return { life, transition: undefined };
  if (found === "breached") return { life: { ...life, countedS: 0 }, transition: undefined };
  const countedS = life.countedS + elapsedS;
  const damping = dampen(life.begins, nowUs);
  if (countedS >= Math.max(keepS, damping > 1 ? leastDampedS : 0) * damping) return { life: undefined, transition: "resolved" };
  return { life: { ...life, countedS }, transition: undefined };
}

/**
 * Advances an alert by what was found.
 * @param begins when it fired of late, of an alert that is over
 */
export function stepLife(
  life: Life | undefined,
  found: Found,
  patience: Patience,
  moment: Moment,
  sinceUs = moment.nowUs,
  begins: readonly number[] = [],
): Step {
  if (life?.state === "firing") return stepFiring(life, found, patience, moment);
  if (life !== undefined) return stepPending(life, found, patience, moment);
  if (found !== "breached") return { life: undefined, transition: undefined };
  if (patience.forS <= 0) return fire(sinceUs, begins, moment.nowUs);
  return { life: { state: "pending", sinceUs, firedUs: undefined, countedS: 0, begins }, transition: "pending" };
}
