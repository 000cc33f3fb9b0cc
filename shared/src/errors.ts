/** The catalogue of everything that can go wrong and be told to a person: a stable code, what happened, what to do. */

/**
 * 0 done, 1 a regression or a breached alert threshold was found, 2 bad usage or configuration, 3 the work could not be
 * done.
 */
export type ExitCode = 0 | 1 | 2 | 3;

interface CatalogueEntry {
  readonly exit: 2 | 3;
  /** What a person can do about it, in one sentence. */
  readonly remedy: string;
}

const catalogue = {
  USAGE: { exit: 2, remedy: "See --help for the options and examples." },
  CONFIG_UNREADABLE: { exit: 2, remedy: "Check that the file exists, is readable, and is valid YAML." },
  CONFIG_INVALID: {
    exit: 2,
    remedy: "Correct the key named above; `fleetmark config schema --for agent` or collector prints every key with its type.",
  },
  ENVIRONMENT_INVALID: { exit: 2, remedy: "Correct or unset the variable named above." },
  TLS_UNREADABLE: { exit: 2, remedy: "Check that the file exists and that this process may read it." },
  TLS_INVALID: { exit: 2, remedy: "Correct the file named above; docs/security.md shows how to make certificates and keys." },
  TLS_NEEDED: { exit: 2, remedy: "docs/security.md shows how to make certificates and configure both sides." },
  TLS_EXPIRED: { exit: 2, remedy: "Renew the certificate, or correct this machine's clock." },
  DATA_UNWRITABLE: {
    exit: 3,
    remedy:
      "Correct its permissions, or choose another directory: `fleetmark up --data DIR`, `fleetmark collector --data-dir DIR`, `fleetmark bench --output-dir DIR`.",
  },
  DATA_LOCKED: {
    exit: 3,
    remedy:
      "Stop the other process, or choose another directory: `fleetmark up --data DIR`, `fleetmark collector --data-dir DIR`.",
  },
  DATA_NEWER: {
    exit: 3,
    remedy: "Upgrade Fleetmark, or choose another directory (data_dir, spool.dir); what is there was left as it is.",
  },
  DATA_CORRUPT: {
    exit: 3,
    remedy: "Restore the file from a backup, or move it away so that a new one is made; it was left as it is.",
  },
  BACKUP_INVALID: { exit: 3, remedy: "Name a folder that `fleetmark store backup` made, and that is whole." },
  DATA_DAMAGED: {
    exit: 3,
    remedy:
      "A collector goes on with the rest: it takes out what can't be read and records it beside the file. Look at the disk, and restore a backup where the rows are needed.",
  },
  DATA_LOG_CORRUPT: {
    exit: 3,
    remedy:
      "Move the .wal file named above aside and start again: what it held, the last 16 MB at most, is missing then; what agents were told is stored, they don't send again.",
  },
  DATA_MISSING: { exit: 3, remedy: "Run `fleetmark up` first, or name the right directory: `fleetmark results --data DIR`." },
  DATA_VANISHED: {
    exit: 3,
    remedy: "Put back what was there with no collector running; until then the collector goes on with what it finds or makes.",
  },
  STORE_FAILED: {
    exit: 3,
    remedy: "Look at the store's own message above; batches stay with the agents until a write succeeds.",
  },
  STORE_REFUSED: {
    exit: 3,
    remedy: "The line is kept in quarantine; mend what the store says of it, such as another writer's field of the same name.",
  },
  FILE_FAILED: { exit: 3, remedy: "Check that the file is whole, that its directory exists and that this process may use both." },
  PORT_TAKEN: { exit: 3, remedy: "Stop the process that listens there, or choose another address." },
  LISTEN_FAILED: { exit: 3, remedy: "Choose an address of this machine and a port that you may listen on." },
  COLLECTOR_UNREACHABLE: { exit: 3, remedy: "Start the collector, or correct its address." },
  TLS_REFUSED: {
    exit: 3,
    remedy: "Check that each side's certificate comes from the authority that the other side trusts; docs/security.md shows how.",
  },
  OUTPUT_FAILED: { exit: 3, remedy: "Free space where the output goes, or send it elsewhere." },
  COLLECTOR_FAILED: { exit: 3, remedy: "Look at the collector's log for the cause." },
  PROTOCOL_MISMATCH: { exit: 3, remedy: "Run agents and collectors of the same major version." },
  PROTOCOL_VIOLATION: {
    exit: 3,
    remedy: "Check what connects to the collector's gRPC port: it does not speak Fleetmark's protocol.",
  },
  BATCH_MALFORMED: { exit: 3, remedy: "The batch is kept in quarantine; check the version of the agent that sent it." },
  BATCH_TOO_LARGE: {
    exit: 3,
    remedy: "The batch is kept in quarantine; make the agent's batches smaller than the collector's limit.",
  },
  BATCH_TOO_MANY_SERIES: {
    exit: 3,
    remedy: "The batch is kept in quarantine; check for a tag that takes ever new values, or raise limits.max_series_per_batch.",
  },
  BATCH_TOO_MANY_SAMPLES: {
    exit: 3,
    remedy: "The batch is kept in quarantine; divide what is sent, or raise limits.max_samples_per_batch.",
  },
  BATCH_FOREIGN: { exit: 3, remedy: "An agent may send only as the host of its Hello; check for two agents with one name." },
  HOST_FOREIGN: {
    exit: 3,
    remedy: "Give the agent the name that its certificate holds (key host), or issue a certificate for the name it has.",
  },
  HOST_NAME_TAKEN: {
    exit: 3,
    remedy:
      "Give one of the two machines another name (key host of its agent); docs/security.md says when a name becomes free. What the agent measures stays in its spool.",
  },
  BATCH_ID_REUSED: {
    exit: 3,
    remedy: "The agent numbers the batch anew; look whether the machine was cloned while it ran, or restored from a snapshot.",
  },
  HOSTS_TOO_MANY: {
    exit: 3,
    remedy: "Check what sends under so many names, or raise limits.max_hosts of the collector.",
  },
  RUN_UNKNOWN: { exit: 2, remedy: "`fleetmark runs` lists the runs that have ended, with their ids." },
  HOST_UNKNOWN: { exit: 3, remedy: "Check the host's name; the collector has not heard of it since it began." },
  HOST_ABSENT: { exit: 3, remedy: "Look whether the host's agent runs and reaches this collector, and try again." },
  COMMAND_TIMED_OUT: {
    exit: 3,
    remedy: "Look at the host's state before you try again: what came of the command is not known.",
  },
  CAMPAIGN_UNKNOWN: {
    exit: 2,
    remedy: "`fleetmark fleet status` lists the campaigns that are known; old ones are in /api/v1/records/campaign.",
  },
  CAMPAIGNS_TOO_MANY: { exit: 3, remedy: "Wait until some have ended, or call one off: `fleetmark fleet cancel ID`." },
  TOKEN_INVALID: {
    exit: 2,
    remedy: "`fleetmark token list` shows the tokens that there are; `fleetmark token create --name NAME` makes one.",
  },
  REQUESTS_TOO_MANY: { exit: 3, remedy: "Wait some seconds, and ask for less at a time." },
  COMMANDS_TOO_MANY: { exit: 3, remedy: "Wait until the host has answered the commands that it was sent before." },
  SERIES_INVALID: {
    exit: 3,
    remedy:
      "Names and tags must keep to the limits that docs/architecture.md lists; the samples are kept in quarantine, which `fleetmark quarantine list` shows.",
  },
  SERIES_OVER_LIMIT: {
    exit: 3,
    remedy:
      "Check the host for a tag that takes ever new values, or raise limits.new_series_per_host_per_hour or limits.max_series_per_host of the collector.",
  },
  RECORD_INVALID: {
    exit: 3,
    remedy: "A result or run lacks a field or holds a wrong one; run agents and collectors of the same version.",
  },
  QUARANTINE_UNKNOWN: { exit: 2, remedy: "`fleetmark quarantine list` shows what is there." },
  TEXT_TOO_LONG: { exit: 3, remedy: "A text of a sample may have 65 536 characters; check the source of the text." },
  CLOCK_DISPUTED: {
    exit: 3,
    remedy: "Correct the collector's clock (timedatectl shows whether it is synchronized); nothing is lost meanwhile.",
  },
  VALUE_NOT_FINITE: { exit: 3, remedy: "Only finite numbers can be stored; check the source of the value." },
  TIME_AHEAD: {
    exit: 3,
    remedy:
      "Check the clock of the host that sent it; `fleetmark quarantine replay` takes the samples in once their time has come.",
  },
  TIME_BEHIND: {
    exit: 3,
    remedy:
      "Check the clock of the host that sent it, or raise limits.time_behind and take the samples in with `fleetmark quarantine replay`.",
  },
  NATS_SECRET_INVALID: { exit: 2, remedy: "Correct the file or the key named above; docs/nats.md shows each way to log in." },
  NATS_UNREACHABLE: { exit: 3, remedy: "Start the NATS server, or correct nats.servers or nats.tls." },
  NATS_REFUSED: { exit: 3, remedy: "Correct the credentials, or let the NATS server know them; docs/nats.md shows both sides." },
  NATS_DENIED: {
    exit: 3,
    remedy: "Grant it in the NATS server's permissions; docs/nats.md lists what agents and collectors need.",
  },
  NATS_NO_JETSTREAM: { exit: 3, remedy: "Enable JetStream on the NATS server, and for the account of this user." },
  NATS_STREAM_MISSING: {
    exit: 3,
    remedy: "Start a collector with nats.servers set: it makes the stream, as docs/nats.md tells.",
  },
  NATS_STREAM_MISMATCH: { exit: 3, remedy: "Change the stream or the consumer as said above, or the collector's nats.stream." },
  NATS_STREAM_FULL: {
    exit: 3,
    remedy:
      "Batches wait with the agents; look whether collectors run and their store keeps up, or enlarge nats.stream.max_bytes.",
  },
  NATS_PAYLOAD_LIMIT: { exit: 3, remedy: "Raise max_payload in the NATS server's configuration; its default of 1MB is enough." },
  NATS_FAILED: { exit: 3, remedy: "Look at the NATS server's own message above, and at its log." },
  SPOOL_LOCKED: { exit: 3, remedy: "Stop the other agent, or give each its own folder with spool.dir." },
  SPOOL_UNWRITABLE: { exit: 3, remedy: "Choose a folder that this user may write with spool.dir, or correct its permissions." },
  SPOOL_CORRUPT: {
    exit: 3,
    remedy: "The disk lost or changed what was written; what could not be read lies in the spool's folder quarantine/.",
  },
  SPOOL_VANISHED: {
    exit: 3,
    remedy: "Look what removed or replaced the folder; what lay in it and was not delivered is lost, and counted.",
  },
  SPOOL_FULL: {
    exit: 3,
    remedy: "The collector was away for longer than the spool lasts; enlarge spool.max_bytes or restore the collector.",
  },
  SPOOL_TOO_OLD: {
    exit: 3,
    remedy: "The collector was away for longer than spool.max_age; restore it, or check the host's clock.",
  },
  SPOOL_DISK_FULL: { exit: 3, remedy: "Free space where spool.dir is; until then new batches wait in memory, which is bounded." },
  SUITE_FILE_INVALID: { exit: 2, remedy: "Correct the file at the key named above; docs/own-benchmarks.md shows a suite file." },
  TREE_INVALID: {
    exit: 2,
    remedy: "Name a folder that is built, or a commit of the repository; docs/benchmarking.md shows `fleetmark bench --against`.",
  },
  BENCHMARK_UNKNOWN: {
    exit: 2,
    remedy: "`fleetmark bench --list` shows the benchmarks; the suites are quick, full, gpu, and those of suite files.",
  },
  BENCHMARK_FAILED: { exit: 3, remedy: "Look at the message of the benchmark's process above." },
  ACTION_INVALID: { exit: 3, remedy: "Check the policy: an action is one finite number per dimension of the action space." },
  RUNTIME_UNAVAILABLE: { exit: 3, remedy: "`fleetmark doctor` says what each runtime lacks on this host." },
  DEVICE_BUSY: {
    exit: 3,
    remedy: "Measure when the others are done, or another card: `fleetmark bench --suite gpu --device gpu1`.",
  },
  RESULT_FILE_INVALID: { exit: 2, remedy: "Name a result file that `fleetmark bench` or the Python benchmark suite wrote." },
  SUBJECT_UNKNOWN: {
    exit: 2,
    remedy: "Name a result file, a run's id, a host or a hardware class; `fleetmark runs` and `fleetmark hosts` list them.",
  },
  NOTHING_COMPARED: { exit: 3, remedy: "Compare what has measured the same benchmarks; `fleetmark results` lists them." },
  DAEMON_LOST: {
    exit: 3,
    remedy: "Look at the messages above; `fleetmark agent` and `fleetmark collector` run by themselves too.",
  },
  PROBE_FAILED: {
    exit: 3,
    remedy: "Look at the message above; leave the probe out of telemetry.probes if this host cannot offer it.",
  },
  PROBE_UNAVAILABLE: {
    exit: 3,
    remedy: "This host does not offer what the probe reads; leave it out of telemetry.probes to silence this.",
  },
  COMMAND_UNKNOWN: { exit: 3, remedy: "Run an agent of a version that knows the command." },
  COMMAND_INVALID: { exit: 3, remedy: "Correct the command or its arguments; the message says what is wrong with them." },
  COMMAND_EXPIRED: { exit: 3, remedy: "Ask again; if it stays so, check the clocks of the host and of the collector's machine." },
  COMMAND_FORBIDDEN: {
    exit: 3,
    remedy: "The host's own configuration says what may be asked of it: commands.allow and commands.suites of its agent.",
  },
  COMMAND_FAILED: { exit: 3, remedy: "Look at the agent's log for the cause, and ask again." },
  READS_TOO_MANY: { exit: 3, remedy: "Ask again in some seconds, for less at a time, or for a shorter range." },
  METHOD_UNKNOWN: { exit: 3, remedy: "Use a method that the header Allow lists; /api/v1/openapi.json lists every endpoint." },
  REQUEST_INVALID: { exit: 2, remedy: "Correct the parameter named above; /api/v1/openapi.json describes every endpoint." },
  FORBIDDEN: {
    exit: 2,
    remedy:
      "Give a token of a role that may, by FLEETMARK_TOKEN_FILE (`fleetmark token create --name NAME` makes one), or name a data directory that is yours: `fleetmark fleet run --data DIR`.",
  },
  HTTP_HOST_UNKNOWN: {
    exit: 2,
    remedy: "Ask by 127.0.0.1 or localhost, or list the name in http.allowed_hosts of the collector.",
  },
  ROUTE_UNKNOWN: { exit: 2, remedy: "See /api/v1/openapi.json for the endpoints." },
  INTERNAL: { exit: 3, remedy: "This is a defect of Fleetmark: please report it with the message above." },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

/** Every code of the catalogue with its exit code and remedy, for documentation. */
export const errorCatalogue: Readonly<Record<ErrorCode, CatalogueEntry>> = catalogue;

/** Whether a text from outside is a code of the catalogue. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(catalogue, text);
}

/** An error that a person is meant to read: `message` says what happened, `remedy` what to do. */
export class FleetmarkError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "FleetmarkError";
    this.code = code;
  }

  get remedy(): string {
    return catalogue[this.code].remedy;
  }

  get exitCode(): ExitCode {
    return catalogue[this.code].exit;
  }
}

/** Returns the message of anything that was thrown. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * Returns what was thrown if it is of the catalogue; anything else is a defect, which is told as INTERNAL with this
 * message.
 * @param onDefect hears of the defect itself, which the message does not show to strangers
 */
export function toFleetmarkError(thrown: unknown, message: string, onDefect: (defect: unknown) => void): FleetmarkError {
  if (thrown instanceof FleetmarkError) return thrown;
  onDefect(thrown);
  return new FleetmarkError("INTERNAL", message, { cause: thrown });
}

/** Returns the system error code (`EADDRINUSE`, `ENOENT` …) of anything that was thrown, if it carries one. */
export function systemErrorCode(thrown: unknown): string | undefined {
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}
