import { createHash, randomBytes } from "node:crypto";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Running } from "@fleetmark/shared/lifecycle";
import type { Logger } from "@fleetmark/shared/log";
import { matchGlob } from "@fleetmark/shared/model/glob";
import { type CampaignRecord, campaignRecord } from "@fleetmark/shared/records/campaign";
import { type CommandRecord, commandRecord } from "@fleetmark/shared/records/command";
import { type KindedRecord, selectRecords } from "@fleetmark/shared/records/record-kind";
import { runRecord } from "@fleetmark/shared/records/run";
import { skippedRunRecord } from "@fleetmark/shared/records/skipped-run";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { readClockUs } from "../platform/clock.js";
import { readHosts } from "../store/hosts.js";
import type { StoreReader } from "../store/store.js";
import {
  type CampaignHost,
  type CampaignHosts,
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
  noteRun,
  noteSkipped,
} from "./campaign-state.js";
import { type RecordOptions, readRecordedOutcome, readSince, recordOwn } from "./command-records.js";
import { askHost, type Commands } from "./commands.js";

/**
 * Runs a suite on many hosts, some at a time. The collector that was asked drives a campaign; started anew, it goes on
 * with it by what is recorded: the campaign as it was asked, the commands that it gave, the runs that came of them.
 */

/** What is asked. */
export type CampaignOrder = Pick<
  CampaignRecord,
  "suite" | "benchmarks" | "hosts" | "hw_class" | "at_most" | "at_most_percent" | "stagger_s" | "ttl_s" | "patience_s" | "at_once"
>;

/** A campaign under way, or of late. */
export interface Campaign {
  readonly id: string;
  readonly order: CampaignOrder;
  readonly by: string;
  readonly askedUs: number;
  readonly hosts: CampaignHosts;
  state: CampaignRecord["state"];
}

export interface CampaignsOptions extends RecordOptions {
  readonly commands: Commands;
  readonly store: Pick<StoreReader, "findByText" | "readNewest" | "readLatest" | "readReceived">;
  readonly logger: Logger;
}

export interface Campaigns extends Running {
  /** Resolves when those of the past are known: what comes of their commands is heard from then on. */
  readonly adopted: Promise<void>;
  /** @throws FleetmarkError HOST_UNKNOWN where no host is meant, CAMPAIGNS_TOO_MANY, STORE_FAILED */
  start(order: CampaignOrder, by: string, id?: string): Promise<Campaign>;
  find(id: string): Promise<Campaign | undefined>;
  list(): Promise<readonly Campaign[]>;
  /** Asks no more hosts, and calls off what waits or is under way. @throws FleetmarkError CAMPAIGN_UNKNOWN */
  cancel(id: string, by: string): Promise<Campaign>;
  /** Hears of records that are committed. */
  note(records: readonly KindedRecord[]): void;
}

interface CampaignsState {
  readonly options: CampaignsOptions;
  /** The oldest first; those that ended stay for a while, for whoever asks. */
  readonly campaigns: Map<string, Campaign>;
  /** Those that are being recorded, by their ids. */
  readonly starting: Map<string, Promise<Campaign>>;
}

const mostRunning = 32;
const mostKept = 200;
/** Milliseconds between two looks at what is to be asked next. */
const stepMs = 250;
/** Seconds between two looks for what other collectors committed. */
const readEveryS = 10;
/** Seconds beyond a host's patience after which nothing more is expected of it. */
const longestRunS = 86_400;
/** Seconds within which the campaigns of the past must be known. */
const adoptWithinS = 10;
/** Microseconds: a campaign that was asked longer ago is not taken up again. */
const adoptedForUs = 2 * 86_400e6;

const nowUs = readClockUs;

function toRecord({ id, order, by, askedUs, hosts, state }: Campaign): CampaignRecord {
  return { ...order, time_us: nowUs(), id, state, asked_us: askedUs, by, total: hosts.byHost.size, counts: countStates(hosts) };
}

/** Hosts of the fleet that an order means, in order of their names. */
async function selectHosts({ store, commands }: CampaignsOptions, { hosts, hw_class }: CampaignOrder): Promise<string[]> {
  const { fleet } = commands.presence;
  const classes = new Map<string, string>();
  for (const stored of await readHosts(store)) if (stored.hw_class !== "") classes.set(stored.host, stored.hw_class);
  for (const host of fleet.names()) {
    const hello = fleet.get(host)?.hello;
    if (hello !== undefined) classes.set(host, hello.hwClass);
  }
  const isMeant = ([host, ofHost]: [string, string]): boolean =>
    hosts.some((glob) => matchGlob(glob, host)) && matchGlob(hw_class, ofHost);
  return [...classes]
    .filter(isMeant)
    .map(([host]) => host)
    .sort();
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
  noteAsked(hosts, found, command, nowUs());
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
    if (found.state === "asked") noteRefused(found, errorMessage(thrown), nowUs());
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
    noteAttached(campaign.hosts, limits, (name) => attachments.has(name), nowUs());
    for (const { host } of chooseNext(campaign.hosts, limits, nowUs())) void ask(state, campaign, host);
    giveUp(campaign, (ttl_s + patience_s + longestRunS) * 1e6);
    endIfOver(state, campaign);
  }
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
    if (host.state === "waiting" || !goingOn.has(host.state) || nowUs() - host.sinceUs < afterUs) continue;
    Object.assign(host, { state: "interrupted", reason: "nothing was heard of the run any more", sinceUs: nowUs() });
  }
}

/** What is recorded of a command: by its agent, or by the collector that waited for it in vain. */
function noteAnswer(hosts: CampaignHosts, record: CommandRecord): void {
  const late = { done: false, code: "COMMAND_TIMED_OUT", message: record.message ?? "" } as const;
  const outcome = record.state === "expired" ? late : readRecordedOutcome(record);
  if (outcome !== undefined) noteOutcome(hosts, record.id, outcome, nowUs());
}

function note({ campaigns }: CampaignsState, records: readonly KindedRecord[]): void {
  const runs = selectRecords(records, runRecord);
  const skipped = selectRecords(records, skippedRunRecord);
  const answered = selectRecords(records, commandRecord);
  if (runs.length + skipped.length + answered.length === 0) return;
  for (const { hosts, state } of campaigns.values()) {
    if (state !== "running") continue;
    for (const each of answered) noteAnswer(hosts, each);
    for (const run of runs.toSorted((a, b) => a.time_us - b.time_us)) noteRun(hosts, run, nowUs());
    for (const each of skipped) noteSkipped(hosts, each, nowUs());
  }
}

/** Reads what was recorded since the oldest campaign that goes on: other collectors commit too. */
async function readCommitted(state: CampaignsState): Promise<void> {
  const running = [...state.campaigns.values()].filter(({ state: at }) => at === "running");
  if (running.length === 0) return;
  const sinceUs = Math.min(...running.map(({ askedUs }) => askedUs)) - 60e6;
  const { store } = state.options;
  const [answered, runs, skipped] = await Promise.all([
    readSince(store, commandRecord, sinceUs),
    readSince(store, runRecord, sinceUs),
    readSince(store, skippedRunRecord, sinceUs),
  ]);
  note(state, [
    ...answered.map((record) => ({ kind: commandRecord, record })),
    ...runs.map((record) => ({ kind: runRecord, record })),
    ...skipped.map((record) => ({ kind: skippedRunRecord, record })),
  ] as KindedRecord[]);
}

/** Takes up campaigns that a process before this one was asked for: those under way, and those that ended of late. */
async function adopt(state: CampaignsState): Promise<void> {
  const { options } = state;
  const sinceUs = nowUs() - adoptedForUs;
  const records = await readSince(options.store, campaignRecord, sinceUs);
  const ended = new Map(records.filter(({ state: at }) => at !== "running").map(({ id, state: at }) => [id, at]));
  const open = records.filter(({ id, state: at }) => at === "running" && !state.campaigns.has(id)).slice(0, mostKept);
  if (open.length === 0) return;
  const commands = await readSince(options.store, commandRecord, sinceUs);
  for (const { id, by, asked_us: askedUs, ...record } of open) {
    const { time_us: _, state: __, total: ___, counts: ____, ...order } = record;
    const own = commands.filter(({ campaign, id: command }) => campaign === id || command.startsWith(`${id}/`));
    const asked = own.filter(({ state: at }) => at === "asked");
    const hosts = createCampaignHosts(
      [...new Set([...(await selectHosts(options, order)), ...asked.map(({ host }) => host)])],
      askedUs,
    );
    for (const { host, id: command } of asked) {
      const found = hosts.byHost.get(host);
      if (found !== undefined) noteAsked(hosts, found, command, askedUs);
    }
    for (const each of own) noteAnswer(hosts, each);
    state.campaigns.set(id, { id, order, by, askedUs, hosts, state: "running" });
  }
  await readCommitted(state);
  for (const { id, hosts } of state.campaigns.values()) {
    const end = ended.get(id);
    if (end === undefined) options.logger.info({ event: "campaign_resumed", campaign: id, ...countStates(hosts) });
    else conclude(state, id, end);
  }
}

/** Gives a campaign that had ended the end that is recorded. */
function conclude(state: CampaignsState, id: string, end: Campaign["state"]): void {
  const campaign = state.campaigns.get(id);
  if (campaign === undefined) return;
  if (end === "cancelled") endAll(campaign.hosts, "cancelled", "the campaign was called off", nowUs());
  campaign.state = end;
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
  const askedUs = nowUs();
  const campaign: Campaign = { id, order, by, askedUs, hosts: createCampaignHosts(names, askedUs), state: "running" };
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
  endAll(campaign.hosts, "cancelled", reason, nowUs());
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
  const state: CampaignsState = { options, campaigns: new Map(), starting: new Map() };
  const { commands, logger } = options;
  commands.listeners.add((_, id, outcome) => {
    for (const { hosts } of state.campaigns.values()) noteOutcome(hosts, id, outcome, nowUs());
  });
  const tellUnread = (thrown: unknown): void =>
    logger.warn({ event: "commands_not_read", err: thrown }, "what was asked before can't be read yet");
  // Nobody is told of campaigns, and none goes on, before those of the past are known; or can't be.
  const adopted = waitAtMost(adopt(state).catch(tellUnread), adoptWithinS);
  let isAdopted = false;
  void adopted.then(() => {
    isAdopted = true;
  });
  const stepping = setInterval(() => isAdopted && step(state), stepMs);
  const reading = setInterval(() => isAdopted && readCommitted(state).catch(tellUnread), readEveryS * 1000);
  for (const timer of [stepping, reading]) timer.unref();
  return {
    adopted,
    start: (order, by, id = createCampaignId()) => adopted.then(() => startOnce(state, order, by, id)),
    find: (id) => adopted.then(() => state.campaigns.get(id)),
    list: () => adopted.then(() => [...state.campaigns.values()].reverse()),
    cancel: (id, by) => adopted.then(() => cancel(state, id, by)),
    note: (records) => note(state, records),
    stop: async () => {
      clearInterval(stepping);
      clearInterval(reading);
    },
  };
}
