import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type AgentConfig, probeCollector } from "@fleetmark/agent";
import { type CollectorConfig, checkStore } from "@fleetmark/collector";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { formatAddress } from "@fleetmark/shared/model/units";
import { checkFolder } from "@fleetmark/shared/tools/folder-check";
import { askForText } from "../client/collector-api.js";
import { makeOwnEndpoint } from "../client/endpoint.js";
import { type DaemonConfig, findConfigProblems } from "./config-findings.js";
import { describeProblem, type Finding } from "./finding.js";

/*
 * What a daemon will meet on this host when it starts, by its configuration: its folder and disk, the other end of its
 * link, its store, its clock. Whatever is asked has a deadline, and nothing is left behind but what the daemon itself
 * would make.
 */

/** A clock further off is told by an alert; one much further has samples refused, and nothing agrees any more. */
const clockMs = { warning: 1000, problem: 60_000 } as const;

/** Of a collector's disk, when it should be looked at. */
const leastFreeBytes = { warning: 2 * 2 ** 30, problem: 64 * 2 ** 20 } as const;

function formatBytes(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}

interface SpaceWish {
  readonly warning: number;
  readonly problem: number;
  readonly remedy: string;
}

/** Looks at a folder that the daemon writes to, and at the room on its disk. */
async function findFolder(
  key: string,
  dir: string,
  failure: "SPOOL_UNWRITABLE" | "DATA_UNWRITABLE",
  wish: SpaceWish,
): Promise<Finding[]> {
  const path = resolve(dir);
  const found = await checkFolder(path, "look");
  if (!found.ok) return [describeProblem(key, new FleetmarkError(failure, `${path}: ${found.reason}`))];
  const { free_bytes } = found.space;
  const detail = `${formatBytes(free_bytes)} free where ${path} is`;
  const status = free_bytes < wish.problem ? "problem" : free_bytes < wish.warning ? "warning" : "ok";
  const written: Finding = { key, status: "ok", detail: `${path}: can be written` };
  return [written, status === "ok" ? { key, status, detail } : { key, status, detail, remedy: wish.remedy }];
}

function judgeClock(key: string, offsetMs: number, rttMs: number): Finding {
  const off = Math.abs(offsetMs);
  const status = off >= clockMs.problem ? "problem" : off >= clockMs.warning ? "warning" : "ok";
  const direction = offsetMs > 0 ? "ahead of" : "behind";
  const detail = `this host's clock is ${off.toFixed(1)} ms ${direction} the collector's, give or take ${(rttMs / 2).toFixed(1)} ms`;
  if (status === "ok") return { key, status, detail };
  return { key, status, detail, remedy: "Look whether time synchronisation runs, on this host and on the collector's." };
}

async function findCollector(config: AgentConfig): Promise<Finding[]> {
  const isNats = config.link === "nats";
  const key = isNats ? "nats.servers" : "collector.address";
  const where = isNats ? config.nats.servers.join(", ") : formatAddress(config.collector.address);
  try {
    const { collectorVersion, clock } = await probeCollector(config.host, config);
    const reached: Finding = { key, status: "ok", detail: `${where}: collector ${collectorVersion} takes host ${config.host}` };
    return clock === undefined ? [reached] : [reached, judgeClock(key, clock.offsetMs, clock.rttMs)];
  } catch (thrown) {
    const problem = describeProblem(key, thrown);
    return [{ ...problem, detail: `${where}: ${problem.detail}` }];
  }
}

/** @param isLinkReady whether the files that the link needs are as they should be; else it is not tried */
async function findForAgent(config: AgentConfig, isLinkReady: boolean): Promise<Finding[]> {
  const wish = {
    warning: config.spool.max_bytes,
    problem: leastFreeBytes.problem,
    remedy: "Free space, or put spool.dir elsewhere or make spool.max_bytes smaller: on a full disk batches wait in memory.",
  };
  const [folder, collector] = await Promise.all([
    findFolder("spool.dir", config.spool.dir, "SPOOL_UNWRITABLE", wish),
    isLinkReady ? findCollector(config) : [],
  ]);
  return [...folder, ...collector];
}

async function servesFleetmark({ listen, tls }: CollectorConfig["http"]): Promise<boolean> {
  try {
    const answer: unknown = JSON.parse(await askForText(makeOwnEndpoint(listen, tls), "/healthz"));
    return (answer as { status?: unknown }).status === "ok";
  } catch {
    return false;
  }
}

/** A port that this very collector holds already is no problem of the next one's. */
async function excusePorts(findings: readonly Finding[], { http }: CollectorConfig): Promise<Finding[]> {
  const isRunning = findings.some(({ code }) => code === "PORT_TAKEN") && (await servesFleetmark(http));
  if (!isRunning) return [...findings];
  return findings.map((finding) =>
    finding.code === "PORT_TAKEN"
      ? {
          key: finding.key,
          status: "warning",
          detail: finding.detail,
          remedy: "A collector runs there already; stop it before another starts.",
        }
      : finding,
  );
}

async function findStore(config: CollectorConfig): Promise<Finding[]> {
  const isFile = config.store.kind === "duckdb";
  if (isFile && !existsSync(join(config.data_dir, "fleetmark.duckdb"))) return [];
  const checks = await checkStore(config);
  return checks.map(({ step, ok, detail }): Finding => {
    const key = isFile ? "data_dir" : "store.url";
    if (ok) return { key, status: "ok", detail: `${step}: ${detail}` };
    if (detail.startsWith("DATA_LOCKED"))
      return { key, status: "warning", detail, remedy: "A collector holds it, so it was not looked into." };
    return { key, status: "problem", detail: `${step}: ${detail}`, remedy: "`fleetmark store check` looks at the store alone." };
  });
}

async function findForCollector(config: CollectorConfig): Promise<Finding[]> {
  const wish = { ...leastFreeBytes, remedy: "Free space, put data_dir elsewhere, or keep less (store.retention)." };
  const folder = await findFolder("data_dir", config.data_dir, "DATA_UNWRITABLE", wish);
  const isUsable = folder.every(({ status }) => status !== "problem");
  return [...folder, ...(isUsable ? await findStore(config) : [])];
}

/** Looks at all that a daemon needs: what its configuration names, and what it will meet. */
export async function findDaemonProblems(daemon: DaemonConfig): Promise<Finding[]> {
  const named = await findConfigProblems(daemon);
  if (daemon.kind === "agent") {
    const isLinkReady = !named.some(({ key, status }) => status === "problem" && /^(collector|nats)\./.test(key));
    return [...named, ...(await findForAgent(daemon.config, isLinkReady))];
  }
  return [...(await excusePorts(named, daemon.config)), ...(await findForCollector(daemon.config))];
}
