import { campaignAnswer, campaignsAnswer, commandAnswer, errorAnswer } from "@fleetmark/shared/api/answers";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { campaignAskedShape } from "@fleetmark/shared/records/campaign";
import { z } from "zod";
import type { Campaign } from "../control/campaign.js";
import { countStates } from "../control/campaign-state.js";
import type { Campaigns } from "../control/campaigns.js";
import { type Commands, sendCommand } from "../control/commands.js";
import { noQuery } from "./routing/queries.js";
import { addRoute, type Router } from "./routing/route.js";

/** What hosts can be asked through the API. */
export interface Control {
  readonly commands: Commands;
  readonly campaigns: Campaigns;
}

const id = z.string().min(1).max(128).describe("id of a campaign");

const commandOrder = z.strictObject({
  host: z.string().min(1).max(255),
  command: z.string().min(1).max(128).describe("start_run, cancel_run, tell_inventory or set_log_level"),
  arguments: z.record(z.string(), z.unknown()).default({}),
  timeout_s: z.number().positive().max(25).default(20).describe("seconds within which the host must have answered"),
});

function summarize(campaign: Campaign): z.infer<typeof campaignsAnswer>[number] {
  const { id: name, order, by, askedUs, hosts, state, paused } = campaign;
  return { ...order, id: name, state, paused, asked_us: askedUs, by, total: hosts.byHost.size, counts: countStates(hosts) };
}

function describe(campaign: Campaign): z.infer<typeof campaignAnswer> {
  const on_hosts = [...campaign.hosts.byHost.values()].map(({ host, state, run, reason, sinceUs }) => {
    return { host, state, run, reason, since_us: sinceUs };
  });
  return { ...summarize(campaign), on_hosts };
}

function addCampaignRoutes(router: Router, { campaigns }: Control): void {
  addRoute(router, {
    method: "POST",
    path: "/api/v1/campaigns",
    summary: "Runs a suite on hosts of the fleet, some at a time",
    role: "operate",
    query: noQuery,
    body: z.strictObject({ ...campaignAskedShape, id: id.optional().describe("given again, it asks for nothing new") }),
    answers: { 200: campaignAnswer, 404: errorAnswer, 409: errorAnswer },
    answer: async ({ body: { id: given, ...order }, caller }) => describe(await campaigns.start(order, caller.name, given)),
  });
  addRoute(router, {
    path: "/api/v1/campaigns",
    summary: "Campaigns under way and of late, the newest first",
    query: noQuery,
    isLight: true,
    answers: { 200: campaignsAnswer },
    answer: async () => (await campaigns.list()).map(summarize),
  });
  addRoute(router, {
    path: "/api/v1/campaigns/state",
    summary: "A campaign, with what became of it on each host",
    query: z.strictObject({ id }),
    isLight: true,
    answers: { 200: campaignAnswer, 404: errorAnswer },
    answer: async ({ query }) => {
      const found = await campaigns.find(query.id);
      if (found === undefined) throw new FleetmarkError("CAMPAIGN_UNKNOWN", `there is no campaign ${query.id}`);
      return describe(found);
    },
  });
  addRoute(router, {
    method: "POST",
    path: "/api/v1/campaigns/cancel",
    summary: "Calls a campaign off: asks no more hosts, and ends what waits or is under way",
    role: "operate",
    query: noQuery,
    body: z.strictObject({ id }),
    answers: { 200: campaignAnswer, 404: errorAnswer },
    answer: async ({ body, caller }) => describe(await campaigns.cancel(body.id, caller.name)),
  });
}

/** Adds the endpoints that ask hosts to do something. */
export function addControlRoutes(router: Router, control: Control): void {
  addCampaignRoutes(router, control);
  addRoute(router, {
    method: "POST",
    path: "/api/v1/commands",
    summary: "Sends a command to a host that is attached here, and answers what became of it",
    role: "operate",
    query: noQuery,
    body: commandOrder,
    isLight: true,
    answers: { 200: commandAnswer, 404: errorAnswer, 409: errorAnswer, 504: errorAnswer },
    answer: async ({ body, caller }) => {
      const { host, command, arguments: given, timeout_s } = body;
      const request = { name: command, arguments: given, timeout: timeout_s, by: caller.name };
      const outcome = await sendCommand(control.commands, host, request);
      if (outcome.done) return { host, done: true, code: "", message: "", result: outcome.result };
      return { host, done: false, code: outcome.code, message: outcome.message, result: {} };
    },
  });
}
