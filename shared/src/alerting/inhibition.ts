import type { Breach } from "./alert.js";
import { alertCatalogue, milderThan } from "./catalogue.js";

type Told = Pick<Breach, "name" | "labels">;

const agentDown = alertCatalogue.agent_down.title;
const fleetSilent = alertCatalogue.fleet_silent.title;

/** What is past its alert threshold is past its target too. */
const pastAlert = / past its alert threshold$/;

/** What tells one thing from another of a kind: a disk by its path, a KPI by its id. */
function nameSubject({ labels }: Told): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The name of what is milder than an alert, where there is something. */
function findMilder({ name }: Told): string | undefined {
  return milderThan[name] ?? (pastAlert.test(name) ? name.replace(pastAlert, " past its target") : undefined);
}

/**
 * Finds what nobody needs to hear of because of something else that fires: what a silent host would say of itself, the
 * hosts of a fleet that is silent as a whole, and the milder of two states of one thing.
 * @param firing what fires, silenced or not: who knows that a host is down needs none of its other alerts
 * @returns for each alert the name of the one that mutes it, or undefined
 */
export function findInhibitors(firing: readonly Told[]): (told: Told) => string | undefined {
  const silent = new Set(firing.flatMap(({ name, labels }) => (name === agentDown ? [labels.host] : [])));
  const isFleetSilent = firing.some(({ name }) => name === fleetSilent);
  const muting = new Map<string, string>();
  for (const told of firing) {
    const milder = findMilder(told);
    if (milder !== undefined) muting.set(`${milder} ${nameSubject(told)}`, told.name);
  }
  return (told) => {
    const { host } = told.labels;
    if (told.name === agentDown) return isFleetSilent ? fleetSilent : undefined;
    if (host !== undefined && silent.has(host)) return agentDown;
    return muting.get(`${told.name} ${nameSubject(told)}`);
  };
}
