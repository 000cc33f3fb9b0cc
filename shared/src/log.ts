/**
 * Every event that agents and collectors log, by the name that stands in the field `event` of its line: what operators
 * search for and runbooks quote. docs/log-events.md is made from it.
 */
export const logEvents = {
  acks_lost: "Collectors are done with batches whose acknowledgement never came; they are sent again",
  agent_attached: "An agent attached to the collector",
  agent_detached: "An agent left, or was not heard of any more",
  agent_displaced:
    "A newer stream of the same host displaced an agent: its connection broke without a word, or two agents share a name",
  agent_started: "The agent began",
  agent_stopped: "The agent ended; what is not acknowledged is in its spool",
  alerts_not_read: "Which alerts fire can't be read from the Alertmanager; campaigns that name some wait",
  batch_dropped: "The agent gave up a batch, for the reason in `code`",
  batch_failed: "The collector failed on a batch: a defect of Fleetmark",
  batch_rejected: "The collector rejected a batch for good, and keeps it in quarantine",
  batches_deferred: "The collector gave batches back to an agent, for the reason in `code`; the agent keeps them and comes again",
  batches_renumbered: "The collector has other batches under the names of these; the agent gave them new ones",
  batches_quarantined: "Batches of the spool could not be read back; their bytes are kept in quarantine",
  benchmark_failed: "A benchmark of the suite gave no result",
  certificate_ending: "A certificate of this process ends within a month, or has ended; told once a day",
  clock_agreed: "The hosts' clocks agree with the collector's again",
  clock_disputed: "Most hosts' clocks contradict the collector's: nothing is refused for its time or dropped until they agree",
  clock_stepped: "The host's clock was set",
  collector_started: "The collector serves",
  collector_stopped: "The collector ended",
  command_ended: "The agent did what a collector asked, or did not, for the reason in `code`",
  command_result_refused: "A host told the result of a command that it was not given",
  commit_listener_failed: "What hears of committed records failed on some; they are stored all the same",
  frame_ignored: "The collector sent a frame that makes no sense to the agent",
  host_finding: "Something about the host's hardware or its tools is not as it should be, as the message says",
  handshakes_failed: "Connections to the collector's gRPC port ended before their TLS handshake did; told at most once a minute",
  host_name_taken: "A second agent claims the name of a host that another holds; it is refused, and keeps what it measures",
  identity_cloned:
    "The spool's folder holds the identity of another machine: this one was cloned, and got an identity of its own",
  inventory_failed: "The agent could not find out what its host is made of, for the reason in the message; it tries again",
  inventory_told: "The agent has found out what its host is made of, and told the collector",
  line_refused: "The store refuses a line for good; it is kept in quarantine",
  link_down: "The agent has no collector, for the reason in `code`; it tries again",
  link_up: "The agent is attached to a collector",
  message_refused: "A message over NATS was refused, for the reason in `code`",
  mount_failed: "The size of a file system can't be read, for the reason in the message; it is asked again now and then",
  mount_hung: "A file system does not answer: its server may be dead. It is asked again now and then; all else goes on",
  mount_recovered: "A file system tells its size again",
  mount_sizes_rough: "This host has no `stat`: of file systems that may count in other units, only shares are told",
  name_holders_unkept: "Which agent holds which host's name could not be kept for the next start of the collector",
  nats_connected: "A connection to the NATS server is up",
  nats_stuck: "The NATS server has batches and gives none; the collector asks anew",
  nats_taking: "The collector takes batches from NATS",
  nats_trouble: "Nothing can be taken from NATS, for the reason in `code`; the collector tries again",
  no_collector: "No collector answered the agent's greeting over NATS; batches go into the stream all the same",
  position: "How far collectors are done with the NATS stream, as the agent was told",
  position_unknown: "The agent could not find out how far collectors are done with the NATS stream",
  probe_failed: "A probe gave nothing, for the reason in the message",
  probe_recovered: "A probe works again",
  probe_unavailable: "This host does not offer what a probe reads",
  quarantine_failed: "What was rejected could not be kept in quarantine",
  quarantine_replayed: "What lay in quarantine was taken in again, as a person asked; `fate` says what became of it",
  run_judged: "The results of a run were judged against those of before; `regressed` counts those that became slower",
  run_not_judged: "A run can't be judged yet, for the store does not answer; it is tried again",
  verdicts_not_swept: "Runs without verdicts can't be looked for yet; it is tried again",
  alerts_firing: "A group of alerts fires, and is told of; `summaries` holds the first five",
  alerts_resolved: "All alerts of a group are resolved",
  alerts_not_evaluated: "What alerts are evaluated by can't be read at the moment; those that there are stay as they are",
  alerts_not_recorded: "Transitions of alerts, or what was told of them, could not be stored yet; it is tried again",
  alerts_not_sent: "A way by which people are told of alerts does not take them; it is tried again",
  alerts_sent_again: "A way by which people are told of alerts takes them again",
  regression_measured_again: "A host was asked to measure again what was called slower, before anybody is told of it",
  kpi_rules_unmatched: "No result has fed these KPIs of the configuration for a week",
  kpi_rules_not_checked: "Whether results feed the configured KPIs can't be read yet; it is tried again",
  request_failed: "The HTTP API failed on a request",
  campaign_ended: "Every host of a campaign has come to an end; the fields count them by what became of them",
  campaign_not_called_off: "A host of a campaign that was called off could not be asked to end its run",
  campaign_not_started: "A campaign of the collector's configuration was due and could not be started",
  campaign_goes_on: "No alert that a campaign names fires any more: it asks further hosts",
  campaign_paused: "An alert that a campaign names fires, or which fire can't be read: it asks no further host",
  campaign_resumed: "The collector goes on with a campaign that one before it was asked for",
  campaign_started: "A suite is to run on hosts of the fleet, as someone asked",
  commands_not_read: "What collectors were asked before could not be read from the store; it is tried again",
  http_changed: "Someone changed something through the HTTP API, or was refused it",
  command_not_remembered: "What became of a command could not be kept: one that comes again would be done again",
  run_book_unreadable: "What an agent knew of runs that waited could not be read; the file is set aside",
  run_book_unwritable: "The agent could not keep what it knows of runs: one that waits now may not outlive the agent",
  run_cut_short: "The agent before ended in the midst of a run, which is recorded and not begun again",
  run_ended: "A run of a suite ended",
  run_failed: "A suite could not be run",
  run_gives_way: "The host has work of its own, so the run under way ends and what is left of it waits",
  run_queue_failed: "Choosing the next run failed: a defect of Fleetmark",
  run_skipped: "A run that was due did not begin, for the reason in the message; that is recorded",
  run_started: "A run of a suite began",
  schedule_reset: "The host's clock went back by more than a day, so a schedule goes on from what it shows now",
  samples_refused: "The collector refused samples of a batch, for the reason in `code`, and stored the others",
  self_telemetry_failed: "The collector could not measure itself",
  series_unknown: "The store did not say which series of a host it has; their samples wait until it does",
  spool_disk_failed: "The spool's disk can't be written; new batches wait in memory",
  spool_disk_recovered: "The spool's disk can be written again",
  spool_failed: "The spool failed: a defect of Fleetmark",
  spool_folder_vanished: "The spool's folder was removed or replaced; what lay in it and was not delivered is lost",
  spool_full: "The spool is at its bound, and gave up the oldest telemetry",
  spool_too_old: "Batches waited for longer than `spool.max_age`, and were given up",
  store_backed_up: "The data file was backed up, as a person asked",
  store_backup_failed: "A backup that a person asked for could not be made",
  store_damaged:
    "Rows of the data file could not be read any more; questions and roll-ups go round them, and damage.json beside it says which they were",
  store_failed: "The store refuses writes; the collector tries again and acknowledges nothing meanwhile",
  store_recovered: "The store takes writes again",
  store_retain_allowed: "A person allowed what was held to be rolled up and dropped",
  store_retain_failed: "What is past its time could not be rolled up or dropped",
  store_retain_held:
    "Nothing is rolled up or dropped, for the reason in the message, until the clock is trusted or a person allows it",
  store_retained: "What is past its time was rolled up or dropped, and free space given back; `not_freed_because` says why not",
  stream_failed: "The collector failed on a frame: a defect of Fleetmark",
  stream_refused: "The collector ended a stream, for the reason in `code`",
  stream_takes: "The NATS stream takes batches again",
  tls_reload_failed: "The TLS files changed and can't be used; the former ones stay in use",
  tokens_unreadable: "The file of tokens can't be read, so that none of them is let in",
  tls_reloaded: "The TLS files changed; new connections use them",
} as const satisfies Record<string, string>;

/** How lines look: JSON for programs, text for people, or text where a terminal is and JSON elsewhere. */
export const logFormats = ["auto", "json", "text"] as const;
export type LogFormat = (typeof logFormats)[number];

export type LogEvent = keyof typeof logEvents;

/**
 * Logs one line: an event of the catalogue with its fields, and a sentence where the event alone does not say enough.
 */
type LogLine = (fields: { readonly event: LogEvent } & Readonly<Record<string, unknown>>, message?: string) => void;

/** What the code needs of a logger, so that no event is logged under a name that the catalogue lacks. Pino's is one. */
export interface Logger {
  /** The least level of what is written; it may be changed while the process runs. */
  level: string;
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
}

/** Returns a logger whose lines all carry the fields, and whose level is always that of the one given. */
export function addFields(logger: Logger, fields: Readonly<Record<string, unknown>>): Logger {
  return {
    get level() {
      return logger.level;
    },
    set level(level) {
      logger.level = level;
    },
    debug: (own, message) => logger.debug({ ...fields, ...own }, message),
    info: (own, message) => logger.info({ ...fields, ...own }, message),
    warn: (own, message) => logger.warn({ ...fields, ...own }, message),
    error: (own, message) => logger.error({ ...fields, ...own }, message),
  };
}
