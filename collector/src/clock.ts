/** Returns the time as microseconds since the Unix epoch. */
export function readClockUs(): number {
  return Date.now() * 1000;
}
