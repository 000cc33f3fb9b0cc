import { type ErrorCode, errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Command } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { seriesLimits } from "@fleetmark/shared/model/series";
import { waitAtMost } from "@fleetmark/shared/waiting";
import type { CommandAnswer, RunBook } from "../runs/run-book.js";

/**
 * Does what collectors ask of this host, and answers every command, whatever becomes of it. A command may come twice,
 * over any link and stream, and after this process was started anew: its id tells, and then it is answered as before
 * and not done again.
 *
 *   command ──► known id? ── yes ──► the answer that it has, or will have
 *                  │ no
 *                  ▼
 *               checked (size, name, expiry, arguments) ──► handler ──► answer, written into the book ──► told
 *
 * What a command changes that must not be done twice, a run that it starts, is in the same book, and written with it.
 */

/** Bounds of a command, and of what an inbox remembers. Lengths are in UTF-16 code units. */
export const commandLimits = {
  id: 128,
  name: 128,
  json: seriesLimits.textLength,
  result: 4096,
  message: 500,
  remembered: 256,
} as const;

/** Seconds for which a disk may hold up the telling of an answer. */
const recordPatienceS = 5;

/** Arguments of a command, and what it gave: JSON objects. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Does what a command of one name asks. What it returns is told to the collector; what it throws is told as the
 * reason why the command was not done, a FleetmarkError by its code.
 */
export type CommandHandler = (args: JsonObject, id: string) => Promise<JsonObject | undefined>;

export interface CommandInboxOptions {
  /** By the names of commands. */
  readonly handlers: ReadonlyMap<string, CommandHandler>;
  readonly book: Pick<RunBook, "pages" | "keep">;
  /** The time by which commands expire, microseconds since the Unix epoch. */
  readonly nowUs: () => number;
  /** Records what became of a command. Resolves when that is on the disk: only then is it told. */
  readonly onAnswered: (command: Command, answer: CommandAnswer) => Promise<void>;
  readonly logger: Logger;
}

export interface CommandInbox {
  readonly options: CommandInboxOptions;
  /** Answers of those under way, by the command's id. */
  readonly underWay: Map<string, Promise<CommandAnswer>>;
}

export function createCommandInbox(options: CommandInboxOptions): CommandInbox {
  return { options, underWay: new Map() };
}

/** Answers a command, once it is done or it is clear that it is not. Never rejects. */
export async function answerCommand(inbox: CommandInbox, command: Command): Promise<CommandAnswer> {
  const { id } = command;
  const { underWay, options } = inbox;
  const known = underWay.get(id) ?? findAnswer(options.book.pages, id);
  if (known !== undefined) return tellPart(await known);
  if (id === "" || id.length > commandLimits.id) {
    return refuse(id.slice(0, commandLimits.id), "COMMAND_INVALID", `an id of ${id.length} characters`);
  }
  if (!makeRoom(inbox)) return refuse(id, "COMMANDS_TOO_MANY", `${commandLimits.remembered} commands have not expired yet`);
  const answering = answerNew(inbox, command);
  underWay.set(id, answering);
  return answering.finally(() => underWay.delete(id));
}

/** Finds what is remembered of a command: its answer, or the run that came of it. */
function findAnswer({ answers, waiting, current }: RunBook["pages"], id: string): CommandAnswer | undefined {
  if (id === "") return undefined;
  const run = [current?.request, ...waiting].find((request) => request?.command === id)?.run;
  const ofRun = run === undefined ? undefined : { id, done: true, code: "", message: "", resultJson: JSON.stringify({ run }) };
  return answers.find((answer) => answer.id === id) ?? ofRun;
}

const tellPart = ({ id, done, code, message, resultJson }: CommandAnswer): CommandAnswer => ({
  id,
  done,
  code,
  message,
  resultJson,
});

/**
 * Forgets the oldest answers where there are too many. Returns whether there is room: what has not expired may come
 * again, and is not forgotten.
 */
function makeRoom({ underWay, options: { book, nowUs } }: CommandInbox): boolean {
  const { pages } = book;
  const now = nowUs();
  while (pages.answers.length + underWay.size >= commandLimits.remembered) {
    const oldest = pages.answers.findIndex(({ expires_us }) => expires_us < now);
    if (oldest < 0) return false;
    pages.answers.splice(oldest, 1);
  }
  return true;
}

function refuse(id: string, code: ErrorCode, message: string): CommandAnswer {
  return { id, done: false, code, message: message.slice(0, commandLimits.message), resultJson: "" };
}

/** Does a command that nobody has heard of, and remembers what became of it. */
async function answerNew({ options }: CommandInbox, command: Command): Promise<CommandAnswer> {
  const { book, onAnswered, logger } = options;
  let answer = await execute(options, command);
  const expires_us = Math.max(0, Math.min(Number(command.expiresUs), Number.MAX_SAFE_INTEGER));
  book.pages.answers.push({ ...answer, expires_us });
  if (!(await book.keep()) && answer.done) {
    logger.warn({ event: "command_not_remembered", id: command.id }, "the disk can't be written: a resend could do it again");
    answer = { ...answer, message: "it was done, but can't be remembered: the host's disk can't be written" };
  }
  await waitAtMost(onAnswered(command, answer), recordPatienceS);
  return answer;
}

async function execute(options: CommandInboxOptions, command: Command): Promise<CommandAnswer> {
  const { id } = command;
  const { logger } = options;
  const name = command.name.slice(0, commandLimits.name);
  try {
    const handler = findHandler(options, command);
    checkExpiry(options, command);
    const resultJson = writeResult(await handler(parseArguments(command.argumentsJson), id));
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
  if (text.length <= commandLimits.result) return text;
  throw new FleetmarkError(
    "COMMAND_FAILED",
    `it was done, but its result has ${text.length} characters (the limit is ${commandLimits.result})`,
  );
}
