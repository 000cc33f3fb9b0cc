import type { Breach } from "@fleetmark/shared/alerting/alert";
import { alertCatalogue, fillIn } from "@fleetmark/shared/alerting/catalogue";
import type { Fleet } from "../fleet/fleet.js";
import type { StoreReader } from "../store/store.js";
import { type Sight, usualKeepS, type Watcher } from "./breaches.js";

/** How long one agent says nothing until it counts as silent, and all of a fleet together; microseconds. */
const hostPatienceUs = alertCatalogue.agent_down.threshold * 1e6;
const fleetPatienceUs = 90e6;
/** Agents that have been silent for longer are forgotten: they may have been retired. */
const forgottenAfterUs = 86_400e6;
/** Of fewer hosts each is told of by itself. */
const fewestOfFleet = 3;
/** Between two questions to a store that other collectors write to, microseconds. */
const askEveryUs = 60e6;

const { agent_down: agentDown, fleet_silent: fleetSilent } = alertCatalogue;

function makeBreach(
  { title: name, severity, runbook, forS, threshold, summary, description }: typeof agentDown | typeof fleetSilent,
  value: number,
  host?: string,
  sinceUs?: number,
): Breach {
  const read = (label: string): string => (label === "host" ? (host ?? "") : String(value));
  return {
    ...{ name, severity, runbook, forS, keepS: usualKeepS, threshold, value },
    labels: host === undefined ? {} : { host },
    summary: fillIn(summary, read),
    description: fillIn(description, read),
    ...(sinceUs === undefined ? {} : { sinceUs }),
  };
}

export interface SilenceWatcherOptions {
  readonly fleet: Pick<Fleet, "names" | "get">;
  readonly store: Pick<StoreReader, "readReceived">;
  /** Whether other collectors may write to the store. */
  readonly isShared: boolean;
  /** When this collector began: before that nobody could reach it. */
  readonly startedUs: number;
}

/** Watches for agents that are not heard of, and for a whole fleet that is not. */
export function createSilenceWatcher({ fleet, store, isShared, startedUs }: SilenceWatcherOptions): Watcher {
  let received: ReadonlyMap<string, number> | undefined;
  let askedUs = Number.NEGATIVE_INFINITY;

  /** When each host was last heard of, here or, where somebody is missing, by others. */
  const readHeard = async (nowUs: number): Promise<Map<string, number>> => {
    received ??= await store.readReceived();
    const heard = new Map(received);
    for (const host of fleet.names()) {
      heard.set(host, Math.max(heard.get(host) ?? 0, fleet.get(host)?.lastSeenUs ?? 0));
    }
    const isMissing = [...heard.values()].some((us) => nowUs - us > fleetPatienceUs && nowUs - us < forgottenAfterUs);
    if (isShared && isMissing && Math.abs(nowUs - askedUs) >= askEveryUs) {
      askedUs = nowUs;
      received = await store.readReceived();
      for (const [host, us] of received) heard.set(host, Math.max(heard.get(host) ?? 0, us));
    }
    return heard;
  };

  const look = async (nowUs: number): Promise<Sight> => {
    const known = [...(await readHeard(nowUs))].filter(([, us]) => nowUs - us < forgottenAfterUs);
    // Agents could not be heard of before this collector began; they get as long to come back to it.
    const silentFor = (us: number): number => nowUs - Math.max(us, startedUs);
    const silent = known.filter(([, us]) => silentFor(us) > hostPatienceUs);
    const heard = known.filter(([, us]) => silentFor(us) <= fleetPatienceUs).length;
    const isSilent = known.length >= fewestOfFleet && heard < fleetSilent.threshold * known.length;
    const breaches = silent.map(([host, us]) => makeBreach(agentDown, Math.round((nowUs - us) / 1e6), host, us));
    if (isSilent) breaches.push(makeBreach(fleetSilent, heard / known.length));
    // Whether those that were silent before have come back is seen when they have had the time to.
    const isNew = nowUs - startedUs <= hostPatienceUs;
    const missing = new Set(known.filter(([, us]) => us < startedUs).map(([host]) => host));
    return { breaches, isUnknown: ({ labels: { host } }) => isNew && (host === undefined || missing.has(host)) };
  };
  return { tellsOf: (name) => name === agentDown.title || name === fleetSilent.title, look };
}
