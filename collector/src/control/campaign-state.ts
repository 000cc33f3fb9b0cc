import type { Run } from "@fleetmark/shared/model/result";
import type { CampaignHostState } from "@fleetmark/shared/records/campaign";
import type { SkippedRun } from "@fleetmark/shared/records/skipped-run";
import type { CommandOutcome } from "./command.js";

/**
 * How a campaign goes on, host by host, without any clock or store of its own:
 *
 *   waiting ──► asked ──► taken ──► finished | interrupted | skipped
 *                 │         ▲  └──► yielded ─┐
 *                 │         └────────────────┘
 *                 └──► refused | away (it did not come back in time)
 */

/** A host of a campaign. */
export interface CampaignHost {
  readonly host: string;
  state: CampaignHostState;
  /** Of the command that asked it. */
  command: string;
  /** Of the run that came of it; the latest, where one gave way and went on. */
  run: string;
  reason: string;
  /** When it came to this state, microseconds since the Unix epoch. */
  sinceUs: number;
  /** Since when its agent has not been attached; undefined while it is. */
  awaySinceUs: number | undefined;
}

export interface CampaignHosts {
  readonly byHost: Map<string, CampaignHost>;
  readonly byCommand: Map<string, CampaignHost>;
  /** When a host was asked last. */
  lastAskedUs: number;
}

export const goingOn: ReadonlySet<CampaignHostState> = new Set(["waiting", "asked", "taken", "yielded"]);

/** Those that take a place among the hosts which may be at it at a time: one that gave way does not run. */
const atWork: ReadonlySet<CampaignHostState> = new Set(["asked", "taken"]);

export function createCampaignHosts(hosts: readonly string[], nowUs: number): CampaignHosts {
  const list = hosts.map(
    (host): CampaignHost => ({
      host,
      state: "waiting",
      command: "",
      run: "",
      reason: "",
      sinceUs: nowUs,
      awaySinceUs: undefined,
    }),
  );
  return { byHost: new Map(list.map((each) => [each.host, each])), byCommand: new Map(), lastAskedUs: Number.NEGATIVE_INFINITY };
}

function move(host: CampaignHost, state: CampaignHostState, nowUs: number, changes: Partial<CampaignHost> = {}): void {
  if (host.state !== state) host.sinceUs = nowUs;
  Object.assign(host, { reason: "" }, changes, { state });
}

/** Hosts that are asked in one go: each is a record that the store must take before its command is sent. */
const mostAtOnce = 250;

/** What a campaign keeps to. */
export interface CampaignLimits {
  /** Hosts that may be at it at a time; undefined for all. */
  readonly atMost: number | undefined;
  /** Seconds between the starts of two hosts. */
  readonly staggerS: number;
  /** Seconds for which a host that is away may come back. */
  readonly ttlS: number;
}

/** Notes which hosts are away. One that was to be asked and did not come back in time has come to its end. */
export function noteAttached(
  { byHost }: CampaignHosts,
  { ttlS }: CampaignLimits,
  isAttached: (host: string) => boolean,
  nowUs: number,
): void {
  for (const host of byHost.values()) {
    if (!goingOn.has(host.state)) continue;
    host.awaySinceUs = isAttached(host.host) ? undefined : (host.awaySinceUs ?? nowUs);
    if (host.state !== "waiting" || host.awaySinceUs === undefined || nowUs - host.awaySinceUs < ttlS * 1e6) continue;
    move(host, "away", nowUs, { reason: `its agent was not attached for ${ttlS} s` });
  }
}

/**
 * Chooses the hosts that are asked now, of those that are here. A host at work keeps its place while it is away for as
 * long as it may come back: what it runs goes on.
 */
export function chooseNext({ byHost, lastAskedUs }: CampaignHosts, limits: CampaignLimits, nowUs: number): CampaignHost[] {
  const { atMost, staggerS, ttlS } = limits;
  const hosts = [...byHost.values()];
  const keepsPlace = ({ state, awaySinceUs }: CampaignHost): boolean =>
    atWork.has(state) && (awaySinceUs === undefined || nowUs - awaySinceUs < ttlS * 1e6);
  const places = Math.max(0, (atMost ?? hosts.length) - hosts.filter(keepsPlace).length);
  const here = hosts.filter(({ state, awaySinceUs }) => state === "waiting" && awaySinceUs === undefined);
  if (staggerS === 0) return here.slice(0, Math.min(places, mostAtOnce));
  const isTime = nowUs - lastAskedUs >= staggerS * 1e6;
  return isTime ? here.slice(0, Math.min(places, 1)) : [];
}

export function noteAsked(hosts: CampaignHosts, host: CampaignHost, command: string, nowUs: number): void {
  move(host, "asked", nowUs, { command });
  hosts.byCommand.set(command, host);
  hosts.lastAskedUs = nowUs;
}

export function noteRefused(host: CampaignHost, reason: string, nowUs: number): void {
  move(host, "refused", nowUs, { reason });
}

/** What became of the command itself. */
export function noteOutcome({ byCommand }: CampaignHosts, command: string, outcome: CommandOutcome, nowUs: number): void {
  const host = byCommand.get(command);
  if (host === undefined || host.state !== "asked") return;
  if (outcome.done) move(host, "taken", nowUs, { run: typeof outcome.result.run === "string" ? outcome.result.run : "" });
  else if (outcome.code === "COMMAND_TIMED_OUT") move(host, "away", nowUs, { reason: outcome.message });
  else move(host, "refused", nowUs, { reason: `${outcome.code}: ${outcome.message}` });
}

/** A run that ended. What is recorded of it may come before the word on its command. */
export function noteRun({ byCommand }: CampaignHosts, { command, run, state, reason = "" }: Run, nowUs: number): void {
  const host = command === undefined ? undefined : byCommand.get(command);
  if (host === undefined || !goingOn.has(host.state)) return;
  move(host, state, nowUs, { run, reason });
}

export function noteSkipped({ byCommand }: CampaignHosts, { command, run, outcome, reason }: SkippedRun, nowUs: number): void {
  const host = command === undefined ? undefined : byCommand.get(command);
  if (host === undefined || !goingOn.has(host.state)) return;
  move(host, outcome === "cancelled" ? "cancelled" : "skipped", nowUs, { run, reason });
}

/** Ends every host that has not come to an end. */
export function endAll({ byHost }: CampaignHosts, state: CampaignHostState, reason: string, nowUs: number): void {
  for (const host of byHost.values()) if (goingOn.has(host.state)) move(host, state, nowUs, { reason });
}

export function isOver({ byHost }: CampaignHosts): boolean {
  return [...byHost.values()].every(({ state }) => !goingOn.has(state));
}

export function countStates({ byHost }: CampaignHosts): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of byHost.values()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
