import { setTimeout as delay } from "node:timers/promises";
import { campaignsAnswer, kpisAnswer } from "@fleetmark/shared/api/answers";
import type { Run } from "@fleetmark/shared/model/result";
import type { Command } from "commander";
import type { z } from "zod";
import { askCollector } from "../../client/collector-api.js";
import type { Endpoint } from "../../client/endpoint.js";
import { createRunningSource } from "../../client/running-collector.js";
import { addFormatFlags, type FormatOptions, printTable } from "../../output/formats.js";
import { tell } from "../../output/message.js";
import { isScreen } from "../../output/terminal.js";
import { escapeControls } from "../../output/width.js";
import { buildFleetTable, describeCounts, type FleetRow, findWaitReason, joinFleet } from "../../tables/fleet.js";
import { addPlaceFlags, findPlace } from "./place.js";

interface StatusOptions extends FormatOptions {
  readonly watch?: boolean;
}

interface Status {
  readonly rows: readonly FleetRow[];
  readonly campaigns: z.infer<typeof campaignsAnswer>;
}

/** Hosts that wait whose reasons are told below the table. */
const mostReasons = 5;

/** Seconds between two looks with --watch. */
const watchEveryS = 2;

export function defineFleetStatus(status: Command): void {
  addFormatFlags(addPlaceFlags(status))
    .option("--watch", "show it again and again, until Ctrl-C")
    .addHelpText(
      "after",
      `
Examples:
  fleetmark fleet status
  fleetmark fleet status --watch --collector 127.0.0.1:7421
  fleetmark fleet status --json | jq '.hosts[] | select(.attached | not) | .host'`,
    );
  status.action(async (options: StatusOptions) => {
    const place = await findPlace(status);
    do {
      const read = await readStatus(place);
      if (options.watch && isScreen(process.stdout)) process.stdout.write("\u001b[2J\u001b[H");
      show(read, options);
      if (options.watch) await delay(watchEveryS * 1000);
    } while (options.watch);
  });
}

/** The newest run of each host, of as many as a page holds. */
function takeNewest(runs: readonly Run[]): Run[] {
  const newest = new Map<string, Run>();
  for (const run of runs) if (!newest.has(run.host)) newest.set(run.host, run);
  return [...newest.values()];
}

async function readStatus(place: Endpoint): Promise<Status> {
  const source = createRunningSource(place);
  const [hosts, runs, kpis, campaigns] = await Promise.all([
    source.readHosts(),
    source.readRuns({}, { limit: 1000 }),
    askCollector(place, "kpis", kpisAnswer),
    askCollector(place, "campaigns", campaignsAnswer),
  ]);
  return { rows: joinFleet(hosts, takeNewest(runs), kpis), campaigns };
}

function show({ rows, campaigns }: Status, options: StatusOptions): void {
  const document = {
    hosts: rows.map(({ host, lastRun, worst }) => ({ ...host, last_run: lastRun ?? null, worst_kpi: worst ?? null })),
    campaigns,
  };
  printTable(buildFleetTable(rows, Date.now() * 1000), document, options.format);
  if (options.format !== "table") return;
  const away = rows.filter(({ host }) => !host.attached).length;
  const waiting = rows.filter((row) => findWaitReason(row) !== "");
  for (const row of waiting.slice(0, mostReasons))
    tell(`${escapeControls(row.host.host)} waits: ${escapeControls(findWaitReason(row))}`);
  if (waiting.length > mostReasons) tell(`and ${waiting.length - mostReasons} others wait; --json says why`);
  tell(`${rows.length} hosts, ${rows.length - away} here, ${away} away`);
  for (const campaign of campaigns.filter(({ state }) => state === "running")) {
    tell(`${campaign.id}: ${campaign.suite} by ${campaign.by}; ${describeCounts(campaign)}`);
  }
}
