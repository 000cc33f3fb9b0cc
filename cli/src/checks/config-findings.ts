import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import type { AgentConfig } from "@fleetmark/agent";
import { findSuite, readSuiteFile, readSuiteFiles } from "@fleetmark/bench";
import type { CollectorConfig } from "@fleetmark/collector";
import { readTlsFiles, type TlsFiles } from "@fleetmark/shared/config/tls";
import { errorMessage, FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import type { NatsConfig } from "@fleetmark/shared/nats/config";
import { readNatsSecrets } from "@fleetmark/shared/nats/secrets";
import { describeProblem, type Finding, findByKey } from "./finding.js";

/*
 * What a configuration names and its schema can't know: whether the files are there and belong together, the suites
 * exist, and the ports are free.
 */

/** The configuration of either daemon, with whose it is. */
export type DaemonConfig =
  | { readonly kind: "agent"; readonly config: AgentConfig }
  | { readonly kind: "collector"; readonly config: CollectorConfig };

async function findTls(files: TlsFiles, where: string): Promise<Finding[]> {
  const { ca_file, cert_file, key_file } = files;
  const findings: Promise<Finding>[] = [];
  const look = (key: string, chosen: TlsFiles, detail: string): void => {
    findings.push(
      findByKey(key, () => {
        readTlsFiles(chosen, where);
        return detail;
      }),
    );
  };
  if (ca_file !== undefined) look(`${where}.ca_file`, { ca_file }, `${ca_file}: valid`);
  if (cert_file !== undefined)
    look(`${where}.cert_file`, { cert_file, key_file }, `${cert_file}: valid, and ${key_file} is its key`);
  return Promise.all(findings);
}

async function findNats(nats: NatsConfig): Promise<Finding[]> {
  if (nats.servers.length === 0) return [];
  const { password_file, token_file, nkey_file, creds_file } = nats;
  const secrets = Object.entries({ password_file, token_file, nkey_file, creds_file }).filter(([, file]) => file !== undefined);
  const library = await import("@nats-io/transport-node");
  const findings = secrets.map(([key, file]) =>
    findByKey(`nats.${key}`, () => {
      readNatsSecrets(nats, library);
      return `${file}: readable`;
    }),
  );
  return [...(await findTls(nats.tls, "nats.tls")), ...(await Promise.all(findings))];
}

function findReadable(key: string, path: string | undefined): Promise<Finding>[] {
  if (path === undefined) return [];
  const look = (): string => {
    try {
      accessSync(path, constants.R_OK);
    } catch (cause) {
      throw new FleetmarkError("CONFIG_UNREADABLE", errorMessage(cause), { cause });
    }
    return `${path}: readable`;
  };
  return [findByKey(key, look)];
}

async function findSuites({ suites, run }: AgentConfig): Promise<Finding[]> {
  const findings = await Promise.all(
    suites.map((path, i) =>
      findByKey(`suites[${i}]`, () => {
        const names = readSuiteFile(path).map(({ name, benchmarks }) => `${name} (${benchmarks.length} benchmarks)`);
        return `${path}: ${names.join(", ")}`;
      }),
    ),
  );
  if (findings.some(({ status }) => status === "problem")) return findings;
  if (suites.length > 1) findings.push(...(await findClash(suites)));
  const own = readSuiteFiles(suites).map(({ name }) => name);
  return [...findings, ...listNamedSuites(run).map(([key, suite]) => findNamedSuite(key, suite, own))];
}

/** The suites that a configuration names, by the keys that name them. */
function listNamedSuites({ on_start, schedule }: AgentConfig["run"]): [string, string][] {
  const scheduled = schedule.map(({ suite }, i): [string, string] => [`run.schedule[${i}].suite`, suite]);
  return on_start === "none" ? scheduled : [["run.on_start", on_start], ...scheduled];
}

function findNamedSuite(key: string, suite: string, own: readonly string[]): Finding {
  if (findSuite(suite) !== undefined || own.includes(suite)) return { key, status: "ok", detail: `the suite ${suite} exists` };
  return describeProblem(key, new FleetmarkError("BENCHMARK_UNKNOWN", `there is no suite named ${JSON.stringify(suite)}`));
}

/** Two files whose suites share a name. */
async function findClash(suites: readonly string[]): Promise<Finding[]> {
  const found = await findByKey("suites", () => {
    readSuiteFiles(suites);
    return "their names differ";
  });
  return found.status === "ok" ? [] : [found];
}

function tryListening({ host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, host, () => server.close(() => resolve()));
  });
}

export function findPort(key: string, address: Address): Promise<Finding> {
  return findByKey(key, async () => {
    const where = formatAddress(address);
    try {
      await tryListening(address);
    } catch (cause) {
      const isTaken = systemErrorCode(cause) === "EADDRINUSE";
      const reason = isTaken ? "another process listens there" : errorMessage(cause);
      throw new FleetmarkError(isTaken ? "PORT_TAKEN" : "LISTEN_FAILED", `${where}: ${reason}`, { cause });
    }
    return `${where}: free`;
  });
}

/** Looks at the files, the suites and the ports that a configuration names. */
export async function findConfigProblems({ kind, config }: DaemonConfig): Promise<Finding[]> {
  if (kind === "agent") {
    const tls = config.link === "grpc" ? await findTls(config.collector.tls, "collector.tls") : [];
    return [...tls, ...(config.link === "nats" ? await findNats(config.nats) : []), ...(await findSuites(config))];
  }
  const tokenFile = config.store.kind === "influxdb" ? config.store.token_file : undefined;
  return [
    ...(await findTls(config.grpc.tls, "grpc.tls")),
    ...(await findTls(config.http.tls, "http.tls")),
    ...(await findNats(config.nats)),
    ...(await Promise.all(findReadable("store.token_file", tokenFile))),
    ...(await Promise.all([findPort("grpc.listen", config.grpc.listen), findPort("http.listen", config.http.listen)])),
  ];
}
