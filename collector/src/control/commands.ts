import { randomBytes } from "node:crypto";
import { FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import type { CommandResult } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { seriesLimits } from "@fleetmark/shared/model/series";
import type { CommandRecord } from "@fleetmark/shared/records/command";
import { type CommandFields, type Link, type Presence, sendToHost } from "../fleet/presence.js";
import { readClockUs } from "../platform/clock.js";
import type { Metrics } from "../telemetry/metrics.js";
import type { CommandOutcome, CommandRequest } from "./command.js";
import { type CommandRecords, readRecordedOutcome } from "./command-records.js";

/**
 * Commands to hosts, by whatever link they are present.
 *
 *     askHost ──► recorded as asked, on the disk ──► sent to the agent ──► its result comes ──► whoever waits has it
 *                                                       ▲         │
 *                                                       │         ├──► the time is over: recorded as expired,
 *                                                       │         │    and an agent that hears of it later lets it be
 *                                                       └─────────┘
 *                        the agent attaches, or anew: it may not have heard of it, so it is sent, under the same id
 *
 * What became of a command is recorded by its agent. Where a collector ends in between, the next takes up what is
 * recorded as asked and as nothing else; where several share a store, each does. An agent does a command once however
 * often it comes.
 */

/** A command without a result yet. */
interface Outstanding {
  readonly command: CommandFields;
  readonly deadline: NodeJS.Timeout;
  /** When it was sent last, by a clock that never steps. */
  sentMs: number;
  readonly waiters: { resolve(outcome: CommandOutcome): void; reject(reason: FleetmarkError): void }[];
}

/** Hears of each command that has ended, in whatever way. */
export type CommandListener = (host: string, id: string, outcome: CommandOutcome) => void;

/** The commands of this collector. */
export interface Commands {
  /** Begins the ids that it gives. */
  readonly idPrefix: string;
  sequence: number;
  stopped: boolean;
  /** By host and id. */
  readonly outstanding: Map<string, Map<string, Outstanding>>;
  /**
   * Host and id of those that ended of late, in order: a command that was sent twice is answered twice, and some are
   * answered late.
   */
  readonly ended: Set<string>;
  readonly listeners: Set<CommandListener>;
  readonly records: CommandRecords;
  readonly presence: Presence;
  readonly metrics: Pick<Metrics, "commandResultsRefused">;
  readonly logger: Logger;
}

/** Per host, without a result. People and schedules give commands; more than this is a caller that runs wild. */
const mostOutstanding = 16;
/** Those that ended, of all hosts. */
const mostEnded = 10_000;
/** Seconds. */
const longestTimeout = 86_400;
/** Characters of an agent's message that are passed on. */
const longestMessage = 1000;

type CommandsOptions = Pick<Commands, "presence" | "records" | "metrics" | "logger">;

export function createCommands({ presence, records, metrics, logger }: CommandsOptions): Commands {
  const idPrefix = `${randomBytes(8).toString("hex")}-`;
  const commands: Commands = {
    idPrefix,
    sequence: 0,
    stopped: false,
    outstanding: new Map(),
    ended: new Set(),
    listeners: new Set(),
    records,
    presence,
    metrics,
    logger,
  };
  presence.onGreeted.add((host) => sendOutstanding(commands, host));
  return commands;
}

/** @throws FleetmarkError REQUEST_INVALID */
function makeCommand(commands: Commands, request: CommandRequest): CommandFields {
  const { name, timeout } = request;
  const argumentsJson = JSON.stringify(request.arguments);
  if (!(timeout > 0 && timeout <= longestTimeout)) {
    throw new FleetmarkError("REQUEST_INVALID", `timeout: must lie between 0 and ${longestTimeout} s`);
  }
  if (argumentsJson.length > seriesLimits.textLength) {
    throw new FleetmarkError(
      "REQUEST_INVALID",
      `arguments: ${argumentsJson.length} characters (the limit is ${seriesLimits.textLength})`,
    );
  }
  const id = request.id ?? `${commands.idPrefix}${++commands.sequence}`;
  return { id, name, argumentsJson, expiresUs: BigInt(readClockUs() + Math.round(timeout * 1e6)) };
}

/** Takes a command off the list, with its result or without; undefined when it is not on it. */
function takeOff(commands: Commands, host: string, id: string): Outstanding | undefined {
  const own = commands.outstanding.get(host);
  const found = own?.get(id);
  if (own === undefined || found === undefined) return undefined;
  own.delete(id);
  if (own.size === 0) commands.outstanding.delete(host);
  clearTimeout(found.deadline);
  commands.ended.add(`${host} ${id}`);
  for (const oldest of commands.ended) {
    if (commands.ended.size <= mostEnded) break;
    commands.ended.delete(oldest);
  }
  return found;
}

/** Ends a command, by what became of it, and tells whoever waits. */
function endCommand(commands: Commands, host: string, id: string, outcome: CommandOutcome): void {
  const found = takeOff(commands, host, id);
  if (found === undefined) return;
  for (const { resolve } of found.waiters) resolve(outcome);
  for (const tell of commands.listeners) tell(host, id, outcome);
}

/** Ends a command whose time is over: the agent may have done it all the same, and said so to another collector. */
async function expire(commands: Commands, host: string, { id, name }: CommandFields): Promise<void> {
  const known = await commands.records.findOutcome(id).catch(() => undefined);
  if (known !== undefined) {
    endCommand(commands, host, id, known);
    return;
  }
  const found = takeOff(commands, host, id);
  if (found === undefined) return;
  const message = `host ${host} did not answer the command ${name} in time`;
  commands.records.recordExpired(host, found.command);
  for (const { reject } of found.waiters) reject(new FleetmarkError("COMMAND_TIMED_OUT", message));
  for (const tell of commands.listeners) tell(host, id, { done: false, code: "COMMAND_TIMED_OUT", message });
}

function addOutstanding(commands: Commands, host: string, command: CommandFields): void {
  const own = commands.outstanding.get(host) ?? new Map<string, Outstanding>();
  const leftMs = Math.max(0, (Number(command.expiresUs) - readClockUs()) / 1000);
  const deadline = setTimeout(() => void expire(commands, host, command), leftMs);
  deadline.unref();
  own.set(command.id, { command, deadline, waiters: [], sentMs: performance.now() });
  commands.outstanding.set(host, own);
}

function createStopping(): FleetmarkError {
  return new FleetmarkError("COLLECTOR_UNREACHABLE", "the collector is stopping");
}

/** @throws FleetmarkError COLLECTOR_UNREACHABLE, HOST_UNKNOWN, COMMANDS_TOO_MANY */
function checkHost({ stopped, outstanding }: Commands, host: string): void {
  if (stopped) throw createStopping();
  const waiting = outstanding.get(host)?.size ?? 0;
  if (waiting < mostOutstanding) return;
  throw new FleetmarkError(
    "COMMANDS_TOO_MANY",
    `host ${host} has ${waiting} commands to answer (the limit is ${mostOutstanding})`,
  );
}

/**
 * Asks a host to do something. Resolves with the command's id once that is recorded; the host may be away, and hears
 * of it when it comes back in time.
 * @throws FleetmarkError REQUEST_INVALID, COMMANDS_TOO_MANY, STORE_FAILED, COLLECTOR_UNREACHABLE when the collector
 *   stops
 */
export async function askHost(commands: Commands, host: string, request: CommandRequest): Promise<string> {
  checkHost(commands, host);
  const command = makeCommand(commands, request);
  if (commands.outstanding.get(host)?.has(command.id) || commands.ended.has(`${host} ${command.id}`)) return command.id;
  // It is on the list from here on, so that callers who run wild are stopped while the store is asked.
  addOutstanding(commands, host, command);
  try {
    await commands.records.recordAsked(host, command, request);
  } catch (thrown) {
    takeOff(commands, host, command.id);
    throw thrown;
  }
  if (commands.outstanding.get(host)?.has(command.id)) sendToHost(commands.presence, host, command);
  return command.id;
}

/**
 * Resolves with what became of a command that was asked.
 * @throws FleetmarkError COMMAND_TIMED_OUT, COLLECTOR_UNREACHABLE
 */
function awaitOutcome(commands: Commands, host: string, id: string): Promise<CommandOutcome> {
  const found = commands.outstanding.get(host)?.get(id);
  if (found === undefined) return Promise.reject(createStopping());
  return new Promise((resolve, reject) => found.waiters.push({ resolve, reject }));
}

/**
 * Sends a command to a host that is here and waits for its result. That the agent could not do it is a result too.
 * @throws FleetmarkError REQUEST_INVALID, HOST_UNKNOWN, HOST_ABSENT, COMMANDS_TOO_MANY, COMMAND_TIMED_OUT,
 *   STORE_FAILED, PROTOCOL_VIOLATION when the result makes no sense, COLLECTOR_UNREACHABLE when the collector stops
 */
export async function sendCommand(commands: Commands, host: string, request: CommandRequest): Promise<CommandOutcome> {
  const { presence } = commands;
  if (commands.stopped) throw createStopping();
  if (presence.fleet.get(host) === undefined) throw new FleetmarkError("HOST_UNKNOWN", `no host ${host} is known`);
  if (!presence.attachments.has(host)) throw new FleetmarkError("HOST_ABSENT", `the agent of host ${host} is not attached`);
  const id = `${commands.idPrefix}${++commands.sequence}`;
  const asked = askHost(commands, host, { ...request, id });
  // Its result may come as soon as it is recorded.
  const outcome = awaitOutcome(commands, host, id);
  outcome.catch(() => {});
  await asked;
  return outcome;
}

/** Takes up what was asked before this collector began, or by another, and has not ended. */
export function adoptCommand(commands: Commands, host: string, command: CommandFields): void {
  const isKnown = commands.outstanding.get(host)?.has(command.id) || commands.ended.has(`${host} ${command.id}`);
  if (isKnown || commands.stopped) return;
  addOutstanding(commands, host, command);
  sendToHost(commands.presence, host, command);
}

/**
 * Sends again what has not been answered for some seconds: over NATS a command or its result can be lost with a
 * connection. An agent that did it answers as before.
 */
export function resendUnanswered({ outstanding, presence }: Commands, sentBeforeMs: number): void {
  for (const [host, own] of outstanding) {
    for (const each of own.values()) {
      if (each.sentMs > sentBeforeMs) continue;
      each.sentMs = performance.now();
      sendToHost(presence, host, each.command);
    }
  }
}

/** Sends what a host that has just attached has not answered. What is past its time is no longer on the list. */
function sendOutstanding({ outstanding, presence }: Commands, host: string): void {
  const attachment = presence.attachments.get(host);
  for (const { command } of outstanding.get(host)?.values() ?? []) attachment?.sendCommand(command);
}

/** Hears from the store what became of commands: agents record it, and another collector may have been told. */
export function noteRecords(commands: Commands, records: readonly CommandRecord[]): void {
  for (const record of records) {
    const outcome = readRecordedOutcome(record);
    if (outcome !== undefined) endCommand(commands, record.host, record.id, outcome);
  }
}

/** Reads a JSON object of an allowed length; undefined for anything else. */
function parseObject(json: string): Record<string, unknown> | undefined {
  if (json === "") return {};
  if (json.length > seriesLimits.textLength) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Reads what became of a command; undefined when it makes no sense. */
function readOutcome({ done, code, message, resultJson }: CommandResult): CommandOutcome | undefined {
  if (done) {
    const result = parseObject(resultJson);
    return result === undefined ? undefined : { done, result };
  }
  // An agent of another version may know codes that this collector does not.
  return { done, code: isErrorCode(code) ? code : "COMMAND_FAILED", message: message.slice(0, longestMessage) };
}

function refuseResult({ metrics, logger }: Commands, host: string, link: Link, id: string): void {
  metrics.commandResultsRefused.inc();
  logger.warn({ event: "command_result_refused", agent: host, link, id: id.slice(0, 64) }, "the result of a command was refused");
}

/**
 * Takes in what became of a command, from the host that the link vouches for. A result to which there is no command is
 * refused and counted. Over NATS every collector hears the results of all: those of another collector's commands are
 * let be.
 */
export function receiveResult(commands: Commands, host: string, link: Link, result: CommandResult): void {
  const { id } = result;
  if (!commands.outstanding.get(host)?.has(id)) {
    const isOthers = link === "nats" && !id.startsWith(commands.idPrefix);
    if (!isOthers && !commands.ended.has(`${host} ${id}`)) refuseResult(commands, host, link, id);
    return;
  }
  const outcome = readOutcome(result);
  if (outcome !== undefined) {
    endCommand(commands, host, id, outcome);
    return;
  }
  refuseResult(commands, host, link, id);
  const message = `host ${host} answered with no JSON object of an allowed length`;
  for (const { reject } of takeOff(commands, host, id)?.waiters ?? []) reject(new FleetmarkError("PROTOCOL_VIOLATION", message));
  for (const tell of commands.listeners) tell(host, id, { done: false, code: "PROTOCOL_VIOLATION", message });
}

/** Tells all who wait that no result will come to them: the collector is stopping. The next takes up what was asked. */
export function stopCommands(commands: Commands): void {
  commands.stopped = true;
  for (const [host, own] of [...commands.outstanding]) {
    for (const id of [...own.keys()]) {
      for (const { reject } of takeOff(commands, host, id)?.waiters ?? []) reject(createStopping());
    }
  }
}
