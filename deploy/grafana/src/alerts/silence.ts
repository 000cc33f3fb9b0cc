import { as, last, type Select } from "../queries/influxql.js";

/**
 * Silence of agents and collectors, told so that a whole fleet that falls silent is one alert at whatever moment the
 * rules are evaluated:
 *
 *     the last samples of a fleet    nobody is heard of for 90 s     each host is silent for 3 minutes
 *     ─────┴┴┴┴──────────────────────┴───────────────────────────────┴───────────────────────────────►
 *                                    "Fleet silent" begins to wait   "Agent down" judges nobody any more
 *
 * "Agent down" looks 3 minutes back for a host and 90 seconds back for the fleet. So the fleet is known to be silent
 * before any host counts as silent, by more than hosts' last samples lie apart; what is known first shuts the other
 * rule up, which then keeps the alerts that it has and makes no new ones. A window for the fleet that is longer than
 * that for a host would leave a time in which every host is silent and the fleet is not.
 *
 * Latest samples are asked for, not counts in buckets: those of a day of 1000 hosts took seconds each minute.
 */

/** Sources that have been silent for longer are forgotten: they may have been retired. */
export const forgottenAfter = 86_400;

/** How long one source says nothing until it counts as silent. */
const hostPatience = "3m";

/**
 * The same for all together; shorter than a host's by more than last samples of different hosts lie apart: up to the
 * minute that an agent may take from one to the next.
 */
const fleetPatience = "90s";

type Source = "agent" | "collector";

/** For each source that has been heard of within the lookback 1 if it was within the patience, else 0. */
function selectHeard(from: Source, patience: string): Select {
  const lastOf = (value: 0 | 1, where: readonly string[]): Select => ({
    fields: [as(`${last("rss_bytes")} * 0 + ${value}`, "each")],
    from,
    where,
    groupBy: ["host"],
  });
  const everybody = lastOf(0, []);
  const recent = lastOf(1, [`time > now() - ${patience}`]);
  return { fields: [as('max("each")', "heard")], from: [everybody, recent], groupBy: ["host"] };
}

/** 1 for each source that reports, 0 for each that is silent. */
export function selectReporting(from: Source): Select {
  return selectHeard(from, hostPatience);
}

/** The share of all sources that report, as a number from 0 to 1. */
export function selectShareReporting(from: Source): Select {
  return { fields: [as('mean("heard")', "share")], from: selectHeard(from, fleetPatience) };
}

/** That share, or nothing at all while it is smaller than asked for. */
export function selectShareOfAtLeast(from: Source, share: number): Select {
  return { fields: ['"share"'], from: selectShareReporting(from), where: [`"share" >= ${share}`] };
}
