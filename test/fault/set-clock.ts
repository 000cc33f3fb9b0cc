import { readFileSync } from "node:fs";

/**
 * Preloaded into a process, it sets that process's clock: by so many seconds as a file says, which is read ten times a
 * second. `node --import=set-clock.js program.js`, with the file's path in SET_CLOCK_FILE.
 */
const path = process.env.SET_CLOCK_FILE ?? "";
const tellTime = Date.now;
let aheadMs = 0;

function look(): void {
  const seconds = Number(readFileSync(path, "utf8"));
  if (Number.isFinite(seconds)) aheadMs = seconds * 1000;
}

if (path !== "") {
  look();
  setInterval(look, 100).unref();
  const ShiftedDate = class extends Date {
    constructor(...values: []) {
      super(...(values.length === 0 ? ([tellTime() + aheadMs] as unknown as []) : values));
    }
    static override now = (): number => tellTime() + aheadMs;
  };
  globalThis.Date = ShiftedDate as DateConstructor;
}
