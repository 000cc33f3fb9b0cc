import { setTimeout as delay } from "node:timers/promises";
import { campaignAnswer } from "@fleetmark/shared/api/answers";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type Command, InvalidArgumentError, Option } from "commander";
import { askForChange } from "../../client/asking.js";
import { askCollector } from "../../client/collector-api.js";
import type { Endpoint } from "../../client/endpoint.js";
import { printText } from "../../output/formats.js";
import { printJson, tell } from "../../output/message.js";
import { createProgressLine } from "../../output/progress-line.js";
import { awaitInterruption } from "../../processes/interruption.js";
import { buildCampaignTable, type CampaignShown, describeCounts } from "../../tables/fleet.js";
import { readSeconds } from "../read/source-flags.js";
import { addPlaceFlags, findPlace } from "./place.js";

interface RunOptions {
  readonly suite: string;
  readonly hosts: readonly string[];
  readonly class: string;
  readonly benchmarks?: readonly string[];
  readonly atMost?: { readonly hosts?: number; readonly percent?: number };
  readonly stagger: number;
  readonly ttl: number;
  readonly patience: number;
  readonly pauseWhile?: readonly string[];
  readonly atOnce?: boolean;
  readonly id?: string;
  readonly wait?: boolean;
  readonly json?: boolean;
}

const readList = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

function readAtMost(text: string): RunOptions["atMost"] {
  const [, number, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim()) ?? [];
  const value = Number(number);
  if (percent === "%" && value > 0 && value <= 100) return { percent: value };
  if (percent === "" && Number.isInteger(value) && value > 0) return { hosts: value };
  throw new InvalidArgumentError("It is a number of hosts, or a share of them such as 10%.");
}

function readStagger(text: string): number {
  return text === "0" ? 0 : readSeconds(text);
}

export function defineFleetRun(run: Command): void {
  addPlaceFlags(run)
    .option("--suite <name>", "the suite, by a name that the hosts know", "quick")
    .addOption(
      new Option("--hosts <globs>", "names of hosts, with * and ?, comma-separated").argParser(readList).default(["*"], "*"),
    )
    .option("--class <glob>", "of this hardware class alone", "*")
    .addOption(new Option("--benchmarks <globs>", "these benchmarks of the suite alone").argParser(readList))
    .addOption(new Option("--at-most <n>", "how many hosts are at it at a time, or a share such as 10%").argParser(readAtMost))
    .addOption(
      new Option("--stagger <duration>", "time between the starts of two hosts").argParser(readStagger).default(0, "none"),
    )
    .addOption(
      new Option("--ttl <duration>", "how long a host that is away may come back and be asked")
        .argParser(readSeconds)
        .default(120, "2m"),
    )
    .addOption(
      new Option("--patience <duration>", "how long a host waits until it is free").argParser(readSeconds).default(3600, "1h"),
    )
    .addOption(
      new Option(
        "--pause-while <alerts>",
        "ask no further host while one of these alerts fires, by names with * and ?",
      ).argParser(readList),
    )
    .option("--at-once", "begin though a host is not free, where its own configuration allows that")
    .option("--id <id>", "a name of your own: asked again under it, nothing is run again")
    .option("--wait", "show how it goes until every host has come to an end; exit code 0 where all finished, else 3")
    .option("--json", "one JSON document on stdout: the campaign, with what became of it on each host")
    .addHelpText(
      "after",
      `
Each host runs it when it is free for it, and gives way to its own work. It goes
on when this command has ended; \`fleetmark fleet cancel\` calls it off.

Examples:
  fleetmark fleet run --suite quick --hosts 'gpu-*' --wait
  fleetmark fleet run --suite full --class 'amd-*' --at-most 10% --stagger 30s
  fleetmark fleet run --benchmarks 'policy_forward*' --hosts gpu-7 --wait --json`,
    );
  run.action(async (options: RunOptions) => {
    process.exitCode = await runFleet(await findPlace(run), options);
  });
}

async function order(place: Endpoint, options: RunOptions): Promise<CampaignShown> {
  const { suite, hosts, benchmarks, stagger, ttl, patience, pauseWhile, atOnce = false, id } = options;
  const body = {
    suite,
    hosts,
    hw_class: options.class,
    benchmarks,
    at_most: options.atMost?.hosts,
    at_most_percent: options.atMost?.percent,
    stagger_s: stagger,
    ttl_s: ttl,
    patience_s: patience,
    pause_while: pauseWhile,
    at_once: atOnce,
    id,
  };
  return askForChange(place, "campaigns", campaignAnswer, body);
}

async function runFleet(place: Endpoint, options: RunOptions): Promise<number> {
  const asked = await order(place, options);
  tell(`${asked.id}: ${asked.suite} on ${asked.total} hosts`);
  if (!options.wait) {
    if (options.json) printJson(asked);
    else tell(`\`fleetmark fleet status\` shows how it goes; \`fleetmark fleet cancel ${asked.id}\` calls it off`);
    return 0;
  }
  const interruption = awaitInterruption();
  const ended = await follow(place, asked, interruption.signal);
  if (ended === undefined) {
    tell(`it goes on without you; \`fleetmark fleet cancel ${asked.id}\` calls it off`);
    return interruption.caught() ?? 3;
  }
  interruption.release();
  if (options.json) printJson(ended);
  else printText(buildCampaignTable(ended.on_hosts), "; --json has all");
  tell(describeCounts(ended));
  return ended.counts.finished === ended.total ? 0 : 3;
}

/** Shows how a campaign goes until it has ended; undefined where someone ended the waiting. */
async function follow(place: Endpoint, asked: CampaignShown, signal: AbortSignal): Promise<CampaignShown | undefined> {
  const progress = createProgressLine();
  const { id } = asked;
  try {
    for (let campaign = asked; !signal.aborted; ) {
      progress.show(describeCounts(campaign), describeCounts(campaign));
      if (campaign.state !== "running") return campaign;
      await delay(500, undefined, { signal }).catch(() => {});
      campaign = await askPatiently(place, id, campaign);
    }
    return undefined;
  } finally {
    progress.clear();
  }
}

/** A collector that is started anew goes on with the campaign: it is waited for. */
async function askPatiently(place: Endpoint, id: string, last: CampaignShown): Promise<CampaignShown> {
  try {
    return await askCollector(place, "campaigns/state", campaignAnswer, { id });
  } catch (thrown) {
    if (thrown instanceof FleetmarkError && thrown.code === "COLLECTOR_UNREACHABLE") return last;
    throw thrown;
  }
}
