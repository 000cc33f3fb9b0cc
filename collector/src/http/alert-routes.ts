import { silenceMatchersSchema } from "@fleetmark/shared/alerting/silence";
import { alertsAnswer, errorAnswer, silenceAnswer, silencesAnswer, testedSinksAnswer } from "@fleetmark/shared/api/answers";
import { z } from "zod";
import type { Alerting, ListedAlert } from "../alerts/alerting.js";
import { readClockUs } from "../platform/clock.js";
import { takePage } from "./routing/pages.js";
import { alertsQuery, noQuery } from "./routing/queries.js";
import { addRoute, type Router } from "./routing/route.js";

const silenceOrder = z.strictObject({
  matchers: silenceMatchersSchema.describe("globs of labels, all of which an alert must match; its name is the label alert"),
  for_s: z.number().positive().describe("seconds; at most 90 days"),
  reason: z.string().min(1).max(2000),
});

const silenceEnd = z.strictObject({ id: z.string().min(1).max(100) });

function showAlert({ name, sinceUs, resolvedUs, ...alert }: ListedAlert): z.infer<typeof alertsAnswer>[number] {
  return { ...alert, alert: name, since_us: sinceUs, ...(resolvedUs === undefined ? {} : { resolved_us: resolvedUs }) };
}

function addSilenceRoutes(router: Router, { silences }: Alerting): void {
  const path = "/api/v1/silences";
  addRoute(router, {
    path,
    summary: "The silences that hold now",
    query: noQuery,
    answers: { 200: silencesAnswer },
    answer: async () => [...silences.list(readClockUs())],
  });
  addRoute(router, {
    method: "POST",
    path,
    summary: "Silences the alerts whose labels match, for a while",
    role: "operate",
    query: noQuery,
    body: silenceOrder,
    answers: { 200: silenceAnswer },
    answer: ({ body, caller }) => silences.add(body, caller.name, readClockUs()),
  });
  addRoute(router, {
    method: "POST",
    path: `${path}/end`,
    summary: "Ends a silence",
    role: "operate",
    query: noQuery,
    body: silenceEnd,
    answers: { 200: silenceAnswer, 404: errorAnswer },
    answer: ({ body, caller }) => silences.end(body.id, caller.name, readClockUs()),
  });
}

/** Adds the endpoints of alerts. */
export function addAlertRoutes(router: Router, alerting: Alerting): void {
  addRoute(router, {
    path: "/api/v1/alerts",
    summary: "What fires, what waits to fire, and what was resolved within a day",
    query: alertsQuery,
    answers: { 200: alertsAnswer },
    answer: async ({ query }, reply) => {
      const { limit, offset, state, host } = query;
      const found = alerting
        .list()
        .filter((each) => (state === undefined || each.state === state) && (host === undefined || each.labels.host === host));
      return takePage(found.map(showAlert), { limit, offset }, reply);
    },
  });
  addRoute(router, {
    method: "POST",
    path: "/api/v1/alerts/test",
    summary: "Sends a message by every way that people are told by, and tells which of them took it",
    role: "operate",
    query: noQuery,
    body: z.strictObject({}),
    answers: { 200: testedSinksAnswer },
    answer: async () => [...(await alerting.test())],
  });
  addSilenceRoutes(router, alerting);
}
