import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createProgressLine, formatRunProgress, showRunProgress } from "./progress-line.js";
import { measureWidth } from "./width.js";

const progress = {
  run: "r",
  suite: "quick",
  completed: 8,
  total: 16,
  benchmark: "tensor_execution{kernel=sum_of_squares,size=100000} jax-js/cpu",
  elapsed_s: 32,
  remaining_s: 205,
};

function createStream(columns: number | undefined): { stream: NodeJS.WriteStream; written: string[] } {
  const written: string[] = [];
  const write = (text: string): boolean => written.push(text) > 0;
  return { stream: { isTTY: columns !== undefined, columns, write } as unknown as NodeJS.WriteStream, written };
}

beforeEach(() => {
  for (const name of ["CI", "COLUMNS", "TERM"]) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

describe("the progress of a run", () => {
  it.each([
    [Number.POSITIVE_INFINITY, `benchmark 9 of 16  elapsed 32 s, remaining 3 min 25 s  ${progress.benchmark}`],
    [80, "benchmark 9 of 16  elapsed 32 s, remaining 3 min 25 s  tensor_execu…} jax-js/cpu"],
    [60, "benchmark 9 of 16  elapsed 32 s, remaining 3 min 25 s"],
    [40, "benchmark 9 of 16  remaining 3 min 25 s"],
    [21, "9/16  3 min 25 s left"],
    [20, "3 min 25 s left"],
    [10, "3 min 25 …"],
  ])("in %d cells keeps the remaining time", (cells, text) => {
    expect(formatRunProgress(progress, cells)).toBe(text);
  });

  it("fits any width", () => {
    for (let cells = 1; cells < 120; cells++) expect(measureWidth(formatRunProgress(progress, cells))).toBeLessThanOrEqual(cells);
  });

  it("shows a name's control characters", () => {
    expect(formatRunProgress({ ...progress, benchmark: "a\u001b[2J" }, 200)).toMatch(/a\\x1b\[2J$/);
  });
});

describe("the progress line", () => {
  it("is drawn over on a screen, short of its last column", () => {
    const { stream, written } = createStream(40);
    const line = createProgressLine(stream);
    showRunProgress(line, progress);
    line.clear();
    expect(written).toEqual(["\r\u001b[Kbenchmark 9 of 16  remaining 3 min 25 s", "\r\u001b[K"]);
  });

  it.each([{ TERM: "dumb" }, { CI: "true" }])("moves no cursor with %o, and is written once a step", (environment) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const { stream, written } = createStream(80);
    const line = createProgressLine(stream);
    for (const elapsed_s of [32, 33, 34]) showRunProgress(line, { ...progress, elapsed_s });
    showRunProgress(line, { ...progress, completed: 9 });
    line.clear();
    expect(written).toHaveLength(2);
    expect(written.join("")).not.toMatch(/\r|\p{Cc}\[/u);
  });

  it("is written now and then while a long step goes on", () => {
    vi.useFakeTimers();
    const { stream, written } = createStream(undefined);
    const line = createProgressLine(stream);
    for (let second = 0; second < 65; second++) {
      line.show("export", `${second} values`);
      vi.advanceTimersByTime(1000);
    }
    expect(written).toEqual(["0 values\n", "30 values\n", "60 values\n"]);
  });
});
