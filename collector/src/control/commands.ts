import { randomBytes } from "node:crypto";
import { type ErrorCode, FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import type { CommandResult } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { seriesLimits } from "@fleetmark/shared/model/series";
import type { CommandFields, Link, Presence } from "../fleet/presence.js";
import { readClockUs } from "../platform/clock.js";
import type { Metrics } from "../telemetry/metrics.js";

/**
 * Commands to hosts, by whatever link they are present.
 *
 *     sendCommand ──► sent to the agent ──► its result comes ──► the caller has it
 *                        ▲         │
 *                        │         ├──► the time is over: the caller is told COMMAND_TIMED_OUT,
 *                        │         │    and an agent that hears of it later lets it be
 *                        └─────────┘
 *                        the agent attaches anew: it may not have heard of it, so it is sent again, under the same id
 *
 * Nothing is kept on disk: a collector that ends forgets what it had sent, and its callers with it.
 */

/** What a host is to do. */
export interface CommandRequest {
  /** A name of the catalogue of commands, which says what the arguments are. */
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Seconds within which the result is to come. */
  readonly timeout: number;
}

/** What became of a command, by the agent's word. */
export type CommandOutcome =
  | { readonly done: true; readonly result: Readonly<Record<string, unknown>> }
  | { readonly done: false; readonly code: ErrorCode; readonly message: string };

/** A command without a result yet. */
interface Outstanding {
  readonly command: CommandFields;
  readonly deadline: NodeJS.Timeout;
  resolve(outcome: CommandOutcome): void;
  reject(reason: FleetmarkError): void;
}

/** The commands of this collector. */
export interface Commands {
  /**
   * Begins each id, so that the commands of several collectors, and of one before and after a restart, are never taken
   * for each other.
   */
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

export function createCommands({ presence, metrics, logger }: Pick<Commands, "presence" | "metrics" | "logger">): Commands {
  const idPrefix = `${randomBytes(8).toString("hex")}-`;
  const commands: Commands = {
    idPrefix,
    sequence: 0,
    stopped: false,
    outstanding: new Map(),
    ended: new Set(),
    presence,
    metrics,
    logger,
  };
  presence.onGreeted.add((host) => resendCommands(commands, host));
  return commands;
}

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
  const id = `${commands.idPrefix}${++commands.sequence}`;
  return { id, name, argumentsJson, expiresUs: BigInt(readClockUs() + Math.round(timeout * 1e6)) };
}

/** Takes a command off the list, with its result or without; undefined when it is not on it. */
function endCommand(commands: Commands, host: string, id: string): Outstanding | undefined {
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

function createStopping(): FleetmarkError {
  return new FleetmarkError("COLLECTOR_UNREACHABLE", "the collector is stopping");
}

/**
 * Sends a command to a host and waits for its result. That the agent could not do it is a result too.
 * @throws FleetmarkError REQUEST_INVALID, HOST_UNKNOWN, HOST_ABSENT, COMMANDS_TOO_MANY, COMMAND_TIMED_OUT,
 *   PROTOCOL_VIOLATION when the result makes no sense, COLLECTOR_UNREACHABLE when the collector stops
 */
export async function sendCommand(commands: Commands, host: string, request: CommandRequest): Promise<CommandOutcome> {
  const { presence, outstanding } = commands;
  if (commands.stopped) throw createStopping();
  if (presence.fleet.get(host) === undefined) throw new FleetmarkError("HOST_UNKNOWN", `no host ${host} is known`);
  const attachment = presence.attachments.get(host);
  if (attachment === undefined) throw new FleetmarkError("HOST_ABSENT", `the agent of host ${host} is not attached`);
  const own = outstanding.get(host) ?? new Map<string, Outstanding>();
  if (own.size >= mostOutstanding) {
    throw new FleetmarkError(
      "COMMANDS_TOO_MANY",
      `host ${host} has ${own.size} commands to answer (the limit is ${mostOutstanding})`,
    );
  }
  const command = makeCommand(commands, request);
  return new Promise((resolve, reject) => {
    const expire = (): void => {
      const message = `host ${host} did not answer the command ${request.name} within ${request.timeout} s`;
      endCommand(commands, host, command.id)?.reject(new FleetmarkError("COMMAND_TIMED_OUT", message));
    };
    const deadline = setTimeout(expire, request.timeout * 1000);
    deadline.unref();
    own.set(command.id, { command, deadline, resolve, reject });
    outstanding.set(host, own);
    attachment.sendCommand(command);
  });
}

/** Sends again what a host that has just attached has not answered. What is past its time is no longer on the list. */
function resendCommands({ outstanding, presence }: Commands, host: string): void {
  const attachment = presence.attachments.get(host);
  for (const { command } of outstanding.get(host)?.values() ?? []) attachment?.sendCommand(command);
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
  const found = endCommand(commands, host, result.id);
  if (found === undefined) {
    const isOthers = link === "nats" && !result.id.startsWith(commands.idPrefix);
    if (!isOthers && !commands.ended.has(`${host} ${result.id}`)) refuseResult(commands, host, link, result.id);
    return;
  }
  const outcome = readOutcome(result);
  if (outcome !== undefined) {
    found.resolve(outcome);
    return;
  }
  refuseResult(commands, host, link, result.id);
  found.reject(new FleetmarkError("PROTOCOL_VIOLATION", `host ${host} answered with no JSON object of an allowed length`));
}

/** Tells all callers that no result will come: the collector is stopping. */
export function stopCommands(commands: Commands): void {
  commands.stopped = true;
  for (const [host, own] of [...commands.outstanding]) {
    for (const id of [...own.keys()]) endCommand(commands, host, id)?.reject(createStopping());
  }
}
