/** Returns an id that sorts by time: `20260131T235959-1a2b3c`. */
export function createRunId(timeMs: number = Date.now()): string {
  const time = new Date(timeMs).toISOString().replace(/[-:]|\.\d+Z/g, "");
  const chance = Math.floor(Math.random() * 16 ** 6).toString(16);
  return `${time}-${chance.padStart(6, "0")}`;
}
