import { parseDuration } from "@fleetmark/shared/model/units";

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/i;

/**
 * Parses a moment: RFC 3339 (`2026-01-31T12:00:00Z`), relative to now (`-1h`, `-15m`), or `now`.
 * @returns microseconds since the Unix epoch, or undefined for anything else
 */
export function parseMoment(text: string, nowUs: number): number | undefined {
  if (text === "now") return nowUs;
  if (text.startsWith("-")) {
    const seconds = parseDuration(text.slice(1));
    return seconds === undefined ? undefined : nowUs - Math.round(seconds * 1e6);
  }
  const ms = rfc3339.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms * 1000;
}
