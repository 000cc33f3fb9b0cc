import { formatAge } from "@fleetmark/shared/model/numbers";

/** Returns a time as programs read it: RFC 3339, UTC. */
export function formatTime(timeUs: number): string {
  return new Date(timeUs / 1000).toISOString();
}

/** Returns a time as people read it, in their zone: `2026-01-31 12:00`. */
export function formatMoment(timeUs: number): string {
  const at = new Date(timeUs / 1000);
  const two = (part: number): string => String(part).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Returns how long ago a time was. A time ahead of the clock is just now. */
export function formatSince(timeUs: number, nowUs: number): string {
  return formatAge((nowUs - timeUs) / 1e6);
}
