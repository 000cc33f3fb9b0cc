import pc from "picocolors";

export type Colors = ReturnType<typeof pc.createColors>;

/** What is told of where output goes: a stream of the process, or a test's. */
export type Output = Pick<NodeJS.WriteStream, "isTTY" | "columns">;

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

/** Whether a stream is a terminal on which lines can be drawn over: dumb terminals and the logs of CI are none. */
export function isScreen(stream: Output, environment: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && environment.TERM !== "dumb" && !isSet(environment.CI);
}

/**
 * Whether a stream takes colours: a terminal does, unless NO_COLOR is set (no-color.org) or it is dumb. FORCE_COLOR
 * outweighs all of that, as it does for Node itself.
 */
export function takesColours(stream: Output, environment: NodeJS.ProcessEnv = process.env): boolean {
  const forced = environment.FORCE_COLOR;
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return stream.isTTY === true && environment.TERM !== "dumb" && !isSet(environment.NO_COLOR);
}

export function chooseColours(stream: Output): Colors {
  return pc.createColors(takesColours(stream));
}

const assumedWidth = 80;

/**
 * Returns how many cells a line of a stream may take: those of the terminal, or of COLUMNS where it is narrower. A
 * file or a pipe has no end, unless COLUMNS gives it one. A terminal that says 0, as serial lines do, is taken for 80.
 */
export function readWidth(stream: Output, environment: NodeJS.ProcessEnv = process.env): number {
  const asked = /^[1-9]\d*$/.test(environment.COLUMNS ?? "") ? Number(environment.COLUMNS) : Number.POSITIVE_INFINITY;
  if (stream.isTTY !== true) return asked;
  const columns = stream.columns > 0 ? stream.columns : Math.min(asked, assumedWidth);
  return Math.min(asked, columns);
}
