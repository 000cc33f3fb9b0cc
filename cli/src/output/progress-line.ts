import type { RunProgress } from "@fleetmark/shared/model/progress";
import { formatDuration } from "@fleetmark/shared/model/units";
import { isScreen, readWidth } from "./terminal.js";
import { cutEnd, cutMiddle, escapeControls, measureWidth } from "./width.js";

/** Progress on stderr: one line drawn over and over on a screen; elsewhere a line now and then. */
export interface ProgressLine {
  /** @param step what the line is about: where lines can't be drawn over, a new step is a new line */
  show(step: string, text: string | ((cells: number) => string)): void;
  /** Takes the line away, so that other output starts on a clean line. */
  clear(): void;
}

/** Where lines can't be drawn over, one that goes on with the same step is written this seldom. */
const repeatAfterMs = 30_000;

const clearLine = "\r\u001b[K";

export function createProgressLine(stream: NodeJS.WriteStream = process.stderr): ProgressLine {
  let shown = { step: "", text: "", atMs: 0 };
  let isDrawn = false;
  return {
    show: (step, given) => {
      const write = typeof given === "string" ? (cells: number) => cutEnd(given, cells) : given;
      if (isScreen(stream)) {
        // A full last column would make some terminals begin a new line.
        stream.write(`${clearLine}${write(readWidth(stream) - 1)}`);
        isDrawn = true;
        return;
      }
      const text = write(Number.POSITIVE_INFINITY);
      const isDue = performance.now() - shown.atMs >= repeatAfterMs && text !== shown.text;
      if (step === shown.step && !isDue) return;
      stream.write(`${text}\n`);
      shown = { step, text, atMs: performance.now() };
    },
    clear: () => {
      if (isDrawn) stream.write(clearLine);
      isDrawn = false;
    },
  };
}

/** A benchmark's name that is cut to fewer cells than this tells nothing. */
const leastName = 12;

/** Says how far a run is, in so many cells: the remaining time stays, and the name is cut or goes first. */
export function formatRunProgress(progress: RunProgress, cells: number): string {
  const { completed, total, benchmark, elapsed_s, remaining_s } = progress;
  const number = Math.min(completed + 1, total);
  const remaining = formatDuration(remaining_s);
  const times = `elapsed ${formatDuration(elapsed_s)}, remaining ${remaining}`;
  const full = `benchmark ${number} of ${total}  ${times}`;
  const forName = cells - measureWidth(full) - 2;
  if (forName >= leastName) return `${full}  ${cutMiddle(escapeControls(benchmark), forName)}`;
  const shorter = [full, `benchmark ${number} of ${total}  remaining ${remaining}`, `${number}/${total}  ${remaining} left`];
  return shorter.find((text) => measureWidth(text) <= cells) ?? cutEnd(`${remaining} left`, cells);
}

/** Shows how far a run is. */
export function showRunProgress(line: ProgressLine, progress: RunProgress): void {
  if (progress.benchmark === "") return;
  line.show(`${progress.completed} ${progress.benchmark}`, (cells) => formatRunProgress(progress, cells));
}
