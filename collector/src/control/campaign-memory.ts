import { matchGlob } from "@fleetmark/shared/model/glob";
import { campaignRecord } from "@fleetmark/shared/records/campaign";
import { type CommandRecord, commandRecord } from "@fleetmark/shared/records/command";
import { type KindedRecord, selectRecords } from "@fleetmark/shared/records/record-kind";
import { runRecord } from "@fleetmark/shared/records/run";
import { skippedRunRecord } from "@fleetmark/shared/records/skipped-run";
import { readClockUs } from "../platform/clock.js";
import { readSince } from "../records/own-records.js";
import { readHosts } from "../store/hosts.js";
import { type Campaign, type CampaignOrder, type CampaignsOptions, type CampaignsState, mostKept } from "./campaign.js";
import {
  type CampaignHosts,
  countStates,
  createCampaignHosts,
  endAll,
  noteAsked,
  noteOutcome,
  noteRun,
  noteSkipped,
} from "./campaign-state.js";
import { readRecordedOutcome } from "./command-records.js";

/** What is known of campaigns by what is recorded: of those of the past, and of what other collectors committed. */

/** Microseconds: a campaign that was asked longer ago is not taken up again. Hosts may be patient for a month. */
const adoptedForUs = 40 * 86_400e6;
/** Microseconds by which records of other collectors may come late and still be heard of at the next look. */
const lateByUs = 900e6;
/** Microseconds between two looks at all that a campaign may have come to. */
const readAllEveryUs = 3600e6;

/** Hosts of the fleet that an order means, in order of their names. */
export async function selectHosts({ store, commands }: CampaignsOptions, { hosts, hw_class }: CampaignOrder): Promise<string[]> {
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

/** What is recorded of a command: by its agent, or by the collector that waited for it in vain. */
function noteAnswer(hosts: CampaignHosts, record: CommandRecord): void {
  const late = { done: false, code: "COMMAND_TIMED_OUT", message: record.message ?? "" } as const;
  const outcome = record.state === "expired" ? late : readRecordedOutcome(record);
  if (outcome !== undefined) noteOutcome(hosts, record.id, outcome, readClockUs());
}

/** Brings campaigns up to what was recorded. */
export function noteCampaigns({ campaigns }: CampaignsState, records: readonly KindedRecord[]): void {
  const runs = selectRecords(records, runRecord);
  const skipped = selectRecords(records, skippedRunRecord);
  const answered = selectRecords(records, commandRecord);
  if (runs.length + skipped.length + answered.length === 0) return;
  for (const { hosts, state } of campaigns.values()) {
    if (state !== "running") continue;
    for (const each of answered) noteAnswer(hosts, each);
    for (const run of runs.toSorted((a, b) => a.time_us - b.time_us)) noteRun(hosts, run, readClockUs());
    for (const each of skipped) noteSkipped(hosts, each, readClockUs());
  }
}

/** Reads what was recorded since the oldest campaign that goes on: other collectors commit too. */
export async function readCommitted(state: CampaignsState): Promise<void> {
  const running = [...state.campaigns.values()].filter(({ state: at }) => at === "running");
  if (running.length === 0) return;
  const beginUs = Math.min(...running.map(({ askedUs }) => askedUs)) - 60e6;
  const startedUs = readClockUs();
  const isAll = startedUs - state.readAllUs >= readAllEveryUs;
  const sinceUs = isAll ? beginUs : Math.max(beginUs, startedUs - lateByUs);
  const { store } = state.options;
  const [answered, runs, skipped] = await Promise.all([
    readSince(store, commandRecord, sinceUs),
    readSince(store, runRecord, sinceUs),
    readSince(store, skippedRunRecord, sinceUs),
  ]);
  noteCampaigns(state, [
    ...answered.map((record) => ({ kind: commandRecord, record })),
    ...runs.map((record) => ({ kind: runRecord, record })),
    ...skipped.map((record) => ({ kind: skippedRunRecord, record })),
  ] as KindedRecord[]);
  if (isAll) state.readAllUs = startedUs;
}

/** Takes up campaigns that a process before this one was asked for: those under way, and those that ended of late. */
export async function adoptCampaigns(state: CampaignsState): Promise<void> {
  const { options } = state;
  const sinceUs = readClockUs() - adoptedForUs;
  const records = await readSince(options.store, campaignRecord, sinceUs);
  const ended = new Map(records.filter(({ state: at }) => at !== "running").map(({ id, state: at }) => [id, at]));
  const open = records.filter(({ id, state: at }) => at === "running" && !state.campaigns.has(id)).slice(0, mostKept);
  if (open.length === 0) return;
  const commands = await readSince(options.store, commandRecord, Math.min(...open.map(({ asked_us }) => asked_us)));
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
    state.campaigns.set(id, { id, order, by, askedUs, hosts, state: "running", paused: "" });
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
  if (end === "cancelled") endAll(campaign.hosts, "cancelled", "the campaign was called off", readClockUs());
  campaign.state = end;
}
