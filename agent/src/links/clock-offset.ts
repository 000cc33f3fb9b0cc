import type { ClockReply } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { createWallClock } from "@fleetmark/shared/wall-clock";

/** The four timestamps of one question for the collector's clock (RFC 5905, § 8), microseconds. */
export interface ClockExchange {
  /** By the agent's wall clock, when it asked. */
  readonly askedUs: number;
  /** By the collector's clock, when the question came and when the answer left. */
  readonly receivedUs: number;
  readonly answeredUs: number;
  /**
   * From the question to the answer, by the agent's steady clock: a step of its wall clock in between changes
   * nothing.
   */
  readonly elapsedUs: number;
}

/**
 * How far the agent's clock is from the collector's: positive, it is ahead. The truth lies within half of the round
 * trip.
 */
export interface ClockOffset {
  readonly offsetMs: number;
  readonly rttMs: number;
}

/** Keeps the best of the last exchanges. */
export interface ClockOffsetFilter {
  /** @param steadyUs when the answer came, by the agent's steady clock */
  add(exchange: ClockExchange, steadyUs: number): void;
  /** Undefined before the first exchange, and when the last one is too old to tell anything. */
  read(steadyUs: number): ClockOffset | undefined;
}

interface Measured {
  readonly offsetUs: number;
  readonly rttUs: number;
  readonly steadyUs: number;
}

/** Exchanges that are looked at, and the age at which they no longer count. */
const window = { count: 16, ageUs: 600e6 } as const;
/** How fast two clocks may drift apart: NTP slews by up to 500 ppm, and quartz is off by less. */
const driftRate = 1e-3;

/** Cristian (1989): the collector's clock was read half of the round trip ago, give or take that half. */
function measure({ askedUs, receivedUs, answeredUs, elapsedUs }: ClockExchange, steadyUs: number): Measured | undefined {
  const rttUs = elapsedUs - (answeredUs - receivedUs);
  if (!(rttUs >= 0) || answeredUs < receivedUs) return undefined;
  return { offsetUs: askedUs + elapsedUs / 2 - (receivedUs + answeredUs) / 2, rttUs, steadyUs };
}

/** Whether two measurements can both be true of clocks that only drift. */
function agree(a: Measured, b: Measured): boolean {
  const doubtUs = (a.rttUs + b.rttUs) / 2 + driftRate * Math.abs(a.steadyUs - b.steadyUs);
  return Math.abs(a.offsetUs - b.offsetUs) <= doubtUs;
}

/**
 * Creates a filter that trusts the exchange of the shortest round trip: what delays a packet in one direction alone
 * shifts the offset by half of it (Mills, RFC 5905, § 10). One that contradicts it tells of a step of either clock:
 * then what was before counts no more.
 */
export function createClockOffsetFilter(): ClockOffsetFilter {
  let kept: Measured[] = [];

  const findBest = (): Measured | undefined => {
    return kept.reduce<Measured | undefined>(
      (best, each) => (best === undefined || each.rttUs < best.rttUs ? each : best),
      undefined,
    );
  };
  const forgetOld = (steadyUs: number): void => {
    kept = kept.filter((each) => steadyUs - each.steadyUs <= window.ageUs);
  };

  return {
    add: (exchange, steadyUs) => {
      const measured = measure(exchange, steadyUs);
      if (measured === undefined) return;
      forgetOld(steadyUs);
      const best = findBest();
      if (best !== undefined && !agree(best, measured)) kept = [];
      kept = [...kept, measured].slice(-window.count);
    },
    read: (steadyUs) => {
      forgetOld(steadyUs);
      const best = findBest();
      return best === undefined ? undefined : { offsetMs: best.offsetUs / 1000, rttMs: best.rttUs / 1000 };
    },
  };
}

const readWallUs = createWallClock();
const readSteadyUs = (): number => performance.now() * 1000;

/** A question for the collector's clock that is under way. */
export interface ClockQuestion {
  readonly askedUs: number;
  readonly steadyUs: number;
}

/**
 * The agent's measurement of its clock against the collector's, with the host's clocks: what links feed and the
 * agent's telemetry reads.
 */
export interface ClockOffsetMeter {
  /** Begins an exchange; to be sent at once. */
  ask(): ClockQuestion;
  /** Ends an exchange; at once when the answer has come. */
  recordReply(question: ClockQuestion, reply: ClockReply): void;
  read(): ClockOffset | undefined;
}

export function createClockOffsetMeter(): ClockOffsetMeter {
  const filter = createClockOffsetFilter();
  return {
    ask: () => ({ askedUs: readWallUs(), steadyUs: readSteadyUs() }),
    recordReply: ({ askedUs, steadyUs }, { receivedUs, sentUs }) => {
      const nowUs = readSteadyUs();
      filter.add({ askedUs, receivedUs: Number(receivedUs), answeredUs: Number(sentUs), elapsedUs: nowUs - steadyUs }, nowUs);
    },
    read: () => filter.read(readSteadyUs()),
  };
}
