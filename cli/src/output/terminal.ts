import pc from "picocolors";

export type Colors = ReturnType<typeof pc.createColors>;

/** Colours for a stream: real ones on a terminal, none when piped or where NO_COLOR is set. */
export function chooseColours(stream: NodeJS.WriteStream): Colors {
  return pc.createColors(stream.isTTY === true && process.env.NO_COLOR === undefined);
}

/** Progress on stderr: one line drawn over and over on a terminal; when piped, one line for each step. */
export interface ProgressLine {
  /** @param step what the line is about; piped, a new line is written only when it changes */
  show(step: string, text: string): void;
  /** Takes the line away, so that other output starts on a clean line. */
  clear(): void;
}

export function createProgressLine(stream: NodeJS.WriteStream = process.stderr): ProgressLine {
  let shownStep = "";
  let drawn = false;
  return {
    show: (step, text) => {
      if (stream.isTTY) {
        const width = stream.columns ?? 80;
        stream.write(`\r\u001b[K${text.length < width ? text : `${text.slice(0, width - 2)}…`}`);
        drawn = true;
      } else if (step !== shownStep) {
        stream.write(`${text}\n`);
      }
      shownStep = step;
    },
    clear: () => {
      if (drawn) stream.write("\r\u001b[K");
      drawn = false;
    },
  };
}
