type Paint = (text: string) => string;

/** What paints words of a table; picocolors gives one that paints. */
export interface Colours {
  readonly dim: Paint;
  readonly bold: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
}

const leave: Paint = (text) => text;

/** Paints nothing: for files and pipes. */
export const plainColours: Colours = { dim: leave, bold: leave, red: leave, green: leave, yellow: leave };
