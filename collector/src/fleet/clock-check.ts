/**
 * Whether the collector's clock can be trusted, as the clocks of its hosts have it. One clock that is wrong would make
 * the collector refuse what is right, and drop what is not past its time; so where most hosts contradict it the same
 * way, it is the collector that is wrong until the opposite is shown.
 *
 * What a host's clock showed is kept against the collector's steady clock, not its wall clock: a step of the wall
 * clock is then seen at once, by all that the hosts have said before it.
 */

/** What a host's clock showed when it was last told. */
export interface HostClock {
  /** The host's wall clock less the collector's steady clock, microseconds. */
  readonly aheadOfSteadyUs: number;
  /** When it was told, by the steady clock. */
  readonly toldUs: number;
  /** Whether the host runs on this machine: then it has the same clock, and its word proves nothing. */
  readonly isLocal: boolean;
}

/** The collector's two clocks at one moment, microseconds. */
export interface Clocks {
  readonly wallUs: number;
  readonly steadyUs: number;
}

export interface ClockJudgement {
  /**
   * agreed: no majority contradicts; disputed: most hosts are ahead, or most are behind, by over a minute; unknown: no
   * host has told its clock of late.
   */
  readonly verdict: "agreed" | "disputed" | "unknown";
  /** Median of the hosts' clocks less the collector's, microseconds; 0 where none is known. */
  readonly offsetUs: number;
  /** Hosts that told their clock of late, and those of them whose word counts as agreement: on other machines. */
  readonly hosts: number;
  readonly agreeing: number;
}

/** NTP keeps clocks to milliseconds, and a batch may wait for seconds: what is off by this much is wrong. */
export const clockToleranceUs = 60e6;
/** Agents tell their clocks every 30 s; what was told longer ago speaks for nobody. */
const toldWithinUs = 600e6;
/** Year 2000 to 2255: what lies outside is no clock. */
const plausibleUs = [946_684_800e6, Number.MAX_SAFE_INTEGER] as const;

/** Makes what a host has told of its clock; undefined where that is no time at all. */
export function readHostClock(sentUs: bigint, steadyUs: number, isLocal: boolean): HostClock | undefined {
  const told = Number(sentUs);
  if (!(told >= plausibleUs[0] && told <= plausibleUs[1])) return undefined;
  return { aheadOfSteadyUs: told - steadyUs, toldUs: steadyUs, isLocal };
}

/** Judges the collector's clock by those of its hosts; each has one voice. */
export function judgeClock(told: Iterable<HostClock | undefined>, { wallUs, steadyUs }: Clocks): ClockJudgement {
  const offsets: number[] = [];
  let agreeing = 0;
  for (const clock of told) {
    if (clock === undefined || steadyUs - clock.toldUs > toldWithinUs) continue;
    const offset = clock.aheadOfSteadyUs - (wallUs - steadyUs);
    offsets.push(offset);
    if (!clock.isLocal && Math.abs(offset) <= clockToleranceUs) agreeing++;
  }
  if (offsets.length === 0) return { verdict: "unknown", offsetUs: 0, hosts: 0, agreeing: 0 };
  offsets.sort((a, b) => a - b);
  const offsetUs = offsets[offsets.length >> 1];
  const ahead = offsets.filter((offset) => offset > clockToleranceUs).length;
  const behind = offsets.filter((offset) => offset < -clockToleranceUs).length;
  const isDisputed = Math.max(ahead, behind) > offsets.length / 2;
  return { verdict: isDisputed ? "disputed" : "agreed", offsetUs, hosts: offsets.length, agreeing };
}

/** Says in words what the hosts' clocks have against the collector's. */
export function describeDispute({ offsetUs, hosts }: ClockJudgement): string {
  const side = offsetUs > 0 ? "behind" : "ahead of";
  return `the collector's clock is ${formatSpan(Math.abs(offsetUs))} ${side} those of most hosts (${hosts} told theirs)`;
}

function formatSpan(us: number): string {
  const seconds = us / 1e6;
  if (seconds < 5400) return `${Math.round(seconds)} s`;
  return seconds < 2 * 86_400 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
