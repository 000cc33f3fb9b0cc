import type { Notification, ToldAlert } from "./groups.js";

/** Alerts that are written out in one message; of the others the hosts are counted. */
const mostShown = 20;

export interface Links {
  /** Where the runbooks are, without the page; empty where nobody said. */
  readonly runbooks: string;
}

function formatUtc(us: number): string {
  return `${new Date(us / 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function countHosts(alerts: readonly ToldAlert[]): number {
  return new Set(alerts.map(({ labels }) => labels.host ?? "")).size;
}

function describePlace(alerts: readonly ToldAlert[]): string {
  const hosts = new Set(alerts.map(({ labels }) => labels.host).filter((host) => host !== undefined));
  if (hosts.size === 1) return ` on ${[...hosts][0]}`;
  return hosts.size === 0 ? "" : ` on ${hosts.size} hosts`;
}

/** The first line: what fires and how bad it is, where, and of how many alerts it speaks. */
export function writeTitle({ firing, resolved, isReminder }: Notification): string {
  const spoken = firing.length > 0 ? firing : resolved;
  const state = firing.length > 0 ? (isReminder ? "STILL FIRING" : "FIRING") : "RESOLVED";
  const severity = spoken.some((each) => each.severity === "critical") ? "critical" : "warning";
  const [first] = spoken;
  const many = spoken.length > 1 ? ` (${spoken.length} alerts)` : "";
  return `[${state}] ${severity} ${first?.name ?? ""}${describePlace(spoken)}${many}`;
}

/** Where the page of an alert's runbook is; empty where nobody said. */
export function linkRunbook({ runbook }: Pick<ToldAlert, "runbook">, { runbooks }: Links): string {
  return runbook === "" || runbooks === "" ? "" : `${runbooks.replace(/\/+$/, "")}/${runbook}.md`;
}

function writeAlert(alert: ToldAlert, state: "FIRING" | "RESOLVED"): string[] {
  const { summary, description, sinceUs, resolvedUs } = alert;
  const until = resolvedUs === undefined ? "" : `, until ${formatUtc(resolvedUs)}`;
  return [
    `${state} ${alert.name}: ${summary}`,
    ...(state === "FIRING" ? [description] : []),
    `Since ${formatUtc(sinceUs)}${until}`,
    "",
  ];
}

/** The whole message, for a person: what, where, since when, how much against what, why, and what to do. */
export function writeMessage(notification: Notification, links: Links): string {
  const { firing, resolved } = notification;
  const shown = firing.slice(0, mostShown);
  const left = firing.slice(mostShown);
  const pages = [...new Set(shown.map((alert) => linkRunbook(alert, links)))].filter((page) => page !== "");
  return [
    ...shown.flatMap((alert) => writeAlert(alert, "FIRING")),
    ...(left.length === 0 ? [] : [`and ${left.length} more, on ${countHosts(left)} hosts: fleetmark alert list`, ""]),
    ...resolved.slice(0, mostShown).flatMap((alert) => writeAlert(alert, "RESOLVED")),
    ...(resolved.length > mostShown ? [`and ${resolved.length - mostShown} more are resolved`, ""] : []),
    ...pages.map((page) => `Runbook: ${page}`),
    ...(firing.length === 0 ? [] : [writeSilenceHint(notification)]),
  ].join("\n");
}

/** How whoever knows of it keeps it quiet. */
function writeSilenceHint({ firing }: Notification): string {
  const hosts = new Set(firing.map(({ labels }) => labels.host));
  const [host] = hosts;
  const where = hosts.size === 1 && host !== undefined ? ` host=${host}` : "";
  return `Silence: fleetmark alert silence 'alert=${firing[0]?.name ?? ""}'${where} --for 2h --reason '…'`;
}
