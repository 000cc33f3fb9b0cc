import { hostname } from "node:os";
import { destination, pino, stdTimeFunctions } from "pino";
import type { LogFormat, Logger } from "./log.js";

export interface LoggerOptions {
  /** Which of Fleetmark's processes writes. */
  readonly service: "agent" | "collector";
  /** The name by which its host is known; empty: its hostname. */
  readonly host: string;
  readonly level: string;
  readonly format: LogFormat;
}

/** Lines that wait for a slow reader; what is over a mebibyte is lost, and ends nothing. */
const waitingBytes = 2 ** 20;

const colours: Readonly<Record<string, string>> = { warn: "\u001b[33m", error: "\u001b[31m", fatal: "\u001b[31m" };
const plain = "\u001b[0m";

/** Everything but what stands elsewhere in a line of text. */
const shownElsewhere = new Set(["level", "time", "service", "host", "event", "msg"]);

function showValue(value: unknown): string {
  if (typeof value === "string") return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

/** What must not reach a terminal: controls, which could move its cursor or paint it. */
function hideControls(text: string): string {
  const showCode = (character: string): string =>
    character === "\n" ? "\\n" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replaceAll(/\p{Cc}/gu, showCode);
}

/** Lays out a line of the log for people: time of day (UTC), level, event, message, and the fields as key=value. */
export function formatLogLine(json: string, hasColours: boolean): string {
  const fields = JSON.parse(json) as Record<string, unknown>;
  const { level, time, service, event, msg } = fields;
  const rest = Object.entries(fields).filter(([key]) => !shownElsewhere.has(key));
  const shownLevel = String(level).padEnd(5);
  const colour = hasColours ? colours[String(level)] : undefined;
  const parts = [
    String(time).slice(11, 19),
    colour === undefined ? shownLevel : `${colour}${shownLevel}${plain}`,
    String(service),
    hideControls(String(event ?? "")),
    ...(msg === undefined || msg === "" ? [] : [`${hideControls(String(msg))}.`]),
    ...rest.map(([key, value]) => hideControls(`${key}=${showValue(value)}`)),
  ];
  return `${parts.join("  ")}\n`;
}

/** Creates a logger that writes to standard error. A reader that is gone, or a full disk, never ends the process. */
export function createLogger({ service, host, level, format }: LoggerOptions): Logger {
  const log = destination({ dest: 2, sync: true, maxLength: waitingBytes });
  log.on("error", () => {});
  const isText = format === "text" || (format === "auto" && process.stderr.isTTY === true);
  const hasColours = process.stderr.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
  const text = { write: (line: string) => void log.write(formatLogLine(line, hasColours)) };
  const options = {
    level,
    base: { service, host: host === "" ? hostname() : host },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return isText ? pino(options, text) : pino(options, log);
}
