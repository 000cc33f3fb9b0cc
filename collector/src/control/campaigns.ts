import { createHash, randomBytes } from "node:crypto";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import { type CampaignRecord, campaignRecord } from "@fleetmark/shared/records/campaign";
import type { KindedRecord } from "@fleetmark/shared/records/record-kind";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { readClockUs } from "../platform/clock.js";
import { recordOwn } from "../records/own-records.js";
import { type Campaign, type CampaignOrder, type CampaignsOptions, type CampaignsState, mostKept } from "./campaign.js";
import { adoptCampaigns, noteCampaigns, readCommitted, selectHosts } from "./campaign-memory.js";
import {
  type CampaignHost,
  chooseNext,
  countStates,
  createCampaignHosts,
  endAll,
  goingOn,
  isOver,
  noteAsked,
  noteAttached,
  noteOutcome,
  noteRefused,
} from "./campaign-state.js";
import { askHost } from "./commands.js";

/**
 * Runs a suite on many hosts, some at a time. The collector that was asked drives a campaign; started anew, it goes on
 * with it by what is recorded: the campaign as it was asked, the commands that it gave, the runs that came of them.
 */

export interface Campaigns extends Running {
  /** Resolves when those of the past are known: what comes of their commands is heard from then on. */
  readonly adopted: Promise<void>;
  /** @throws FleetmarkError REQUEST_INVALID, HOST_UNKNOWN where no host is meant, CAMPAIGNS_TOO_MANY, STORE_FAILED */
  start(order: CampaignOrder, by: string, id?: string): Promise<Campaign>;
  find(id: string): Promise<Campaign | undefined>;
  list(): Promise<readonly Campaign[]>;
  /** Asks no more hosts, and calls off what waits or is under way. @throws FleetmarkError CAMPAIGN_UNKNOWN */
  cancel(id: string, by: string): Promise<Campaign>;
  /** Hears of records that are committed. */
  note(records: readonly KindedRecord[]): void;
}

const mostRunning = 32;
/** Milliseconds between two looks at what is to be asked next. */
const stepMs = 250;
/** Seconds between two looks for what other collectors committed. */
const readEveryS = 10;
/** Seconds beyond a host's patience after which nothing more is expected of it. */
const longestRunS = 86_400;
/** Seconds within which the campaigns of the past must be known. */
const adoptWithinS = 10;
function toRecord({ id, order, by, askedUs, hosts, state }: Campaign): CampaignRecord {
  return {
    ...order,
    time_us: readClockUs(),
    id,
    state,
    asked_us: askedUs,
    by,
    total: hosts.byHost.size,
    counts: countStates(hosts),
  };
}

/** Ends a campaign whose hosts have all come to an end, and records that. */
function endIfOver({ options }: CampaignsState, campaign: Campaign): void {
  if (campaign.state !== "running" || !isOver(campaign.hosts)) return;
  campaign.state = "ended";
  options.logger.info({ event: "campaign_ended", campaign: campaign.id, ...countStates(campaign.hosts) });
  recordOwn(options, campaignRecord, toRecord(campaign)).catch(() => {});
}

async function ask({ options }: CampaignsState, campaign: Campaign, host: string): Promise<void> {
  const { order, id, by, hosts } = campaign;
  const { suite, benchmarks, patience_s, at_once, ttl_s } = order;
  const found = hosts.byHost.get(host);
  if (found === undefined) return;
  // The same command of the same campaign is the same, whoever gives it.
  const command = `${id}/${createHash("sha256").update(host).digest("hex").slice(0, 16)}`;
  noteAsked(hosts, found, command, readClockUs());
  try {
    await askHost(options.commands, host, {
      id: command,
      name: "start_run",
      arguments: { suite, patience_s, at_once, ...(benchmarks === undefined ? {} : { benchmarks }) },
      timeout: ttl_s,
      by,
      campaign: id,
    });
    // It was called off while this was recorded: what calls it off must come after it.
    if (campaign.state === "cancelled") callOff(options, campaign, found, "the campaign was called off");
  } catch (thrown) {
    if (found.state === "asked") noteRefused(found, errorMessage(thrown), readClockUs());
  }
}

/** Asks a host to end what a command of a campaign began, or has not begun yet. */
function callOff(
  { commands, logger }: CampaignsOptions,
  campaign: Campaign,
  { host, command }: CampaignHost,
  reason: string,
): void {
  const { order, by, id } = campaign;
  const request = { name: "cancel_run", arguments: { commands: [command], reason }, timeout: order.ttl_s, by, campaign: id };
  askHost(commands, host, request).catch((thrown) => {
    logger.warn({ event: "campaign_not_called_off", campaign: id, agent: host }, errorMessage(thrown));
  });
}

function step(state: CampaignsState): void {
  const { attachments } = state.options.commands.presence;
  for (const campaign of state.campaigns.values()) {
    if (campaign.state !== "running") continue;
    const { stagger_s, ttl_s, patience_s } = campaign.order;
    const limits = { atMost: countPlaces(campaign), staggerS: stagger_s, ttlS: ttl_s };
    noteAttached(campaign.hosts, limits, (name) => attachments.has(name), readClockUs());
    notePause(state, campaign);
    if (campaign.paused === "")
      for (const { host } of chooseNext(campaign.hosts, limits, readClockUs())) void ask(state, campaign, host);
    giveUp(campaign, (ttl_s + patience_s + longestRunS) * 1e6);
    endIfOver(state, campaign);
  }
}

/** Holds a campaign up while an alert that it names fires: hosts that are at it go on. */
function notePause({ options }: CampaignsState, campaign: Campaign): void {
  const { pause_while } = campaign.order;
  if (pause_while === undefined) return;
  const before = campaign.paused;
  campaign.paused = options.alerts.findReason(pause_while) ?? "";
  if (campaign.paused === before) return;
  const fields = { campaign: campaign.id, reason: campaign.paused };
  if (campaign.paused === "") options.logger.info({ event: "campaign_goes_on", campaign: campaign.id });
  else options.logger.info({ event: "campaign_paused", ...fields });
}

/** How many hosts may be at it at a time; undefined for all. */
function countPlaces({ order: { at_most, at_most_percent }, hosts }: Campaign): number | undefined {
  if (at_most_percent === undefined) return at_most;
  const share = Math.max(1, Math.floor((hosts.byHost.size * at_most_percent) / 100));
  return Math.min(share, at_most ?? share);
}

/** Ends hosts of which nothing was heard for longer than any run takes. */
function giveUp({ hosts }: Campaign, afterUs: number): void {
  for (const host of hosts.byHost.values()) {
    if (host.state === "waiting" || !goingOn.has(host.state) || readClockUs() - host.sinceUs < afterUs) continue;
    Object.assign(host, { state: "interrupted", reason: "nothing was heard of the run any more", sinceUs: readClockUs() });
  }
}

/** Starts a campaign, or returns the one that has the id: also one that is only being started. */
function startOnce(state: CampaignsState, order: CampaignOrder, by: string, id: string): Promise<Campaign> {
  const known = state.campaigns.get(id);
  if (known !== undefined) return Promise.resolve(known);
  const starting = state.starting.get(id) ?? start(state, order, by, id).finally(() => state.starting.delete(id));
  state.starting.set(id, starting);
  return starting;
}

async function start(state: CampaignsState, order: CampaignOrder, by: string, id: string): Promise<Campaign> {
  const { options, campaigns } = state;
  const running = [...campaigns.values()].filter(({ state: at }) => at === "running").length;
  if (running >= mostRunning) throw new FleetmarkError("CAMPAIGNS_TOO_MANY", `${running} campaigns are under way`);
  const names = await selectHosts(options, order);
  if (names.length === 0) {
    throw new FleetmarkError("HOST_UNKNOWN", `no host is meant by ${order.hosts.join(", ")} of class ${order.hw_class}`);
  }
  const askedUs = readClockUs();
  const campaign: Campaign = { id, order, by, askedUs, hosts: createCampaignHosts(names, askedUs), state: "running", paused: "" };
  await recordOwn(options, campaignRecord, toRecord(campaign));
  campaigns.set(id, campaign);
  for (const oldest of campaigns.values()) {
    if (campaigns.size <= mostKept) break;
    if (oldest.state !== "running") campaigns.delete(oldest.id);
  }
  options.logger.info({ event: "campaign_started", campaign: id, suite: order.suite, hosts: names.length, by });
  step(state);
  return campaign;
}

async function cancel(state: CampaignsState, id: string, by: string): Promise<Campaign> {
  const { options, campaigns } = state;
  const campaign = campaigns.get(id);
  if (campaign === undefined) throw new FleetmarkError("CAMPAIGN_UNKNOWN", `there is no campaign ${id}`);
  if (campaign.state !== "running") return campaign;
  campaign.state = "cancelled";
  const reason = `called off by ${by}`;
  const begun = [...campaign.hosts.byHost.values()].filter(({ state: at, command }) => goingOn.has(at) && command !== "");
  endAll(campaign.hosts, "cancelled", reason, readClockUs());
  await recordOwn(options, campaignRecord, toRecord(campaign));
  for (const host of begun) callOff(options, campaign, host, reason);
  return campaign;
}

/** Returns a name for a campaign, that sorts by time. */
function createCampaignId(): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+Z/g, "");
  return `c${time}-${randomBytes(4).toString("hex")}`;
}

export function startCampaigns(options: CampaignsOptions): Campaigns {
  const state: CampaignsState = { options, campaigns: new Map(), starting: new Map(), readAllUs: 0 };
  const { commands, logger } = options;
  commands.listeners.add((_, id, outcome) => {
    for (const { hosts } of state.campaigns.values()) noteOutcome(hosts, id, outcome, readClockUs());
  });
  let isLooking = false;
  let isKnown = false;
  /** Reads what is recorded; where the store did not answer for those of the past, that again. */
  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    try {
      await (isKnown ? readCommitted(state) : adoptCampaigns(state));
      isKnown = true;
    } catch (thrown) {
      logger.warn({ event: "commands_not_read", err: thrown }, "what was asked before can't be read yet");
    } finally {
      isLooking = false;
    }
  };
  // Nobody is told of campaigns, and none goes on, before those of the past are known; or can't be.
  const adopted = waitAtMost(look(), adoptWithinS);
  let isAdopted = false;
  void adopted.then(() => {
    isAdopted = true;
  });
  const stepping = setInterval(() => isAdopted && step(state), stepMs);
  const reading = setInterval(() => isAdopted && void look(), readEveryS * 1000);
  for (const timer of [stepping, reading]) timer.unref();
  return {
    adopted,
    start: (order, by, id = createCampaignId()) => adopted.then(() => startOnce(state, order, by, id)),
    find: (id) => adopted.then(() => state.campaigns.get(id)),
    list: () => adopted.then(() => [...state.campaigns.values()].reverse()),
    cancel: (id, by) => adopted.then(() => cancel(state, id, by)),
    note: (records) => noteCampaigns(state, records),
    stop: async () => {
      clearInterval(stepping);
      clearInterval(reading);
    },
  };
}
