import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Command } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { seriesLimits } from "@fleetmark/shared/model/series";

/**
 * Does what collectors ask of this host, and answers every command, whatever becomes of it. A command may come twice,
 * over any link and stream: its id tells, and then it is answered as before and not done again.
 *
 *   command ──► known id? ── yes ──► the answer that it has, or will have
 *                  │ no
 *                  ▼
 *               checked (size, name, expiry, arguments) ──► handler ──► answer, remembered
 */

/** Bounds of a command, and of what an inbox remembers. Lengths are in UTF-16 code units. */
export const commandLimits = { id: 128, name: 128, json: seriesLimits.textLength, message: 500, remembered: 256 } as const;

/** Arguments of a command, and what it gave: JSON objects. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Does what a command of one name asks. What it returns is told to the collector; what it throws is told as the
 * reason why the command was not done, a FleetmarkError by its code.
 */
export type CommandHandler = (args: JsonObject) => Promise<JsonObject | undefined>;

/** What became of a command. */
export interface CommandAnswer {
  readonly id: string;
  readonly done: boolean;
  /** Empty when done. */
  readonly code: ErrorCode | "";
  readonly message: string;
  /** A JSON object; empty where there is nothing to tell. */
  readonly resultJson: string;
}

export interface CommandInboxOptions {
  /** By the names of commands. */
  readonly handlers: ReadonlyMap<string, CommandHandler>;
  /** The time by which commands expire, microseconds since the Unix epoch. */
  readonly nowUs: () => number;
  readonly logger: Logger;
}

export interface CommandInbox {
  readonly options: CommandInboxOptions;
  /** Answers by the command's id, the oldest first; those under way too. */
  readonly answers: Map<string, Promise<CommandAnswer>>;
  readonly underWay: Set<string>;
}

export function createCommandInbox(options: CommandInboxOptions): CommandInbox {
  return { options, answers: new Map(), underWay: new Set() };
}

/** Answers a command, once it is done or it is clear that it is not. Never rejects. */
export function answerCommand(inbox: CommandInbox, command: Command): Promise<CommandAnswer> {
  const { id } = command;
  const { answers, underWay } = inbox;
  const known = answers.get(id);
  if (known !== undefined) return known;
  if (id === "" || id.length > commandLimits.id) {
    return Promise.resolve(refuse(id.slice(0, commandLimits.id), "COMMAND_INVALID", `an id of ${id.length} characters`));
  }
  if (!makeRoom(inbox)) return Promise.resolve(refuse(id, "COMMAND_FAILED", `${underWay.size} commands are under way`));
  underWay.add(id);
  const answer = execute(inbox, command).finally(() => underWay.delete(id));
  answers.set(id, answer);
  return answer;
}

/**
 * Forgets the oldest answer where there are too many. Returns whether there is room: what is under way is not
 * forgotten.
 */
function makeRoom({ answers, underWay }: CommandInbox): boolean {
  if (answers.size < commandLimits.remembered) return true;
  for (const id of answers.keys()) if (!underWay.has(id)) return answers.delete(id);
  return false;
}

function refuse(id: string, code: ErrorCode, message: string): CommandAnswer {
  return { id, done: false, code, message: message.slice(0, commandLimits.message), resultJson: "" };
}

async function execute({ options }: CommandInbox, command: Command): Promise<CommandAnswer> {
  const { id } = command;
  const { logger } = options;
  const name = command.name.slice(0, commandLimits.name);
  try {
    const handler = findHandler(options, command);
    checkExpiry(options, command);
    const resultJson = writeResult(await handler(parseArguments(command.argumentsJson)));
    logger.info({ event: "command_ended", command: name });
    return { id, done: true, code: "", message: "", resultJson };
  } catch (thrown) {
    const code = thrown instanceof FleetmarkError ? thrown.code : "COMMAND_FAILED";
    const err = thrown instanceof FleetmarkError ? {} : { err: thrown };
    logger.warn({ event: "command_ended", command: name, code, ...err }, errorMessage(thrown));
    return refuse(id, code, errorMessage(thrown));
  }
}

/** @throws FleetmarkError COMMAND_INVALID, COMMAND_UNKNOWN */
function findHandler({ handlers }: CommandInboxOptions, { name }: Command): CommandHandler {
  if (name.length > commandLimits.name) throw new FleetmarkError("COMMAND_INVALID", `a name of ${name.length} characters`);
  const handler = handlers.get(name);
  if (handler === undefined) throw new FleetmarkError("COMMAND_UNKNOWN", `this agent knows no command ${JSON.stringify(name)}`);
  return handler;
}

/** @throws FleetmarkError COMMAND_EXPIRED */
function checkExpiry({ nowUs }: CommandInboxOptions, { expiresUs }: Command): void {
  const lateS = (nowUs() - Number(expiresUs)) / 1e6;
  if (lateS >= 0) throw new FleetmarkError("COMMAND_EXPIRED", `the command expired ${lateS.toFixed(1)} s before it came`);
}

/** @throws FleetmarkError COMMAND_INVALID */
function parseArguments(text: string): JsonObject {
  const refuseArguments = (what: string, cause?: unknown): never => {
    throw new FleetmarkError("COMMAND_INVALID", `arguments ${what}`, { cause });
  };
  if (text.length > commandLimits.json)
    return refuseArguments(`of ${text.length} characters (the limit is ${commandLimits.json})`);
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch (cause) {
    return refuseArguments(`that are no JSON: ${errorMessage(cause)}`, cause);
  }
  return isObject(value) ? value : refuseArguments("that are no JSON object");
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws FleetmarkError COMMAND_FAILED where the result is more than a frame may hold */
function writeResult(result: JsonObject | undefined): string {
  const text = result === undefined ? "" : JSON.stringify(result);
  if (text.length <= commandLimits.json) return text;
  throw new FleetmarkError(
    "COMMAND_FAILED",
    `it was done, but its result has ${text.length} characters (the limit is ${commandLimits.json})`,
  );
}
