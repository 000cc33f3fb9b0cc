import { FleetmarkError } from "@fleetmark/shared/errors";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Child, Ended, StartChild } from "./child.js";
import { chooseRestartWait, type SuperviseOptions, supervise } from "./supervise.js";

interface FakeChild {
  readonly args: readonly string[];
  end(description: string): void;
  refuse(error: FleetmarkError): void;
}

/** Starts children that serve at once, unless they are to refuse, and end when they are told to. */
function createStarter(isServing: (nth: number) => boolean = () => true): { start: StartChild; children: FakeChild[] } {
  const children: FakeChild[] = [];
  const start: StartChild = <Facts>(args: readonly string[]): Child<Facts> => {
    let end: (ended: Ended) => void = () => {};
    let refuse: (error: FleetmarkError) => void = () => {};
    const ended = new Promise<Ended>((resolve) => {
      end = resolve;
    });
    const ready = new Promise<Facts>((resolve, reject) => {
      refuse = reject;
      if (isServing(children.length)) resolve({ port: children.length } as Facts);
    });
    ready.catch(() => {});
    const stop = (): void => end({ description: "stopped", facts: { last: true } });
    children.push({ args, refuse, end: (description) => end({ description, facts: {} }) });
    return { pid: children.length, ready, ended, askToStop: stop, kill: stop };
  };
  return { start, children };
}

const restarts: string[] = [];

function makeOptions(start: StartChild): SuperviseOptions<{ port: number }> {
  return {
    name: "agent",
    chooseArgs: (facts) => [facts === undefined ? "first" : `again ${facts.port}`],
    environment: {},
    onRestart: (description, waitS) => restarts.push(`${description}, ${waitS} s`),
    signal: new AbortController().signal,
    start,
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  restarts.length = 0;
});
afterEach(() => vi.useRealTimers());

describe("a supervised daemon", () => {
  it("is started again after waits that double, to 30 s, with what it had said first", async () => {
    const { start, children } = createStarter();
    const daemon = await supervise(makeOptions(start));
    for (const waitS of [0.5, 1, 2]) {
      children.at(-1)?.end("SIGKILL");
      await vi.advanceTimersByTimeAsync(waitS * 1000 - 1);
      const before = children.length;
      await vi.advanceTimersByTimeAsync(1);
      expect(children.length).toBe(before + 1);
    }
    expect(restarts).toEqual(["SIGKILL, 0.5 s", "SIGKILL, 1 s", "SIGKILL, 2 s"]);
    expect(children.map(({ args }) => args[0])).toEqual(["first", "again 0", "again 0", "again 0"]);
    expect(daemon.restarts()).toBe(3);
    expect([1, 2, 6, 7, 20].map(chooseRestartWait)).toEqual([0.5, 1, 16, 30, 30]);
    expect(await daemon.stop()).toEqual({ last: true });
  });

  it("is forgiven after a minute", async () => {
    const { start, children } = createStarter();
    await supervise(makeOptions(start));
    children.at(-1)?.end("SIGKILL");
    await vi.advanceTimersByTimeAsync(500);
    await vi.advanceTimersByTimeAsync(60_000);
    children.at(-1)?.end("SIGSEGV");
    await vi.advanceTimersByTimeAsync(0);
    expect(restarts).toEqual(["SIGKILL, 0.5 s", "SIGSEGV, 0.5 s"]);
  });

  it("is given up when it ended eight times in a row", async () => {
    const { start, children } = createStarter();
    const daemon = await supervise(makeOptions(start));
    for (let i = 0; i < 8; i++) {
      children.at(-1)?.end("exit code 7");
      await vi.advanceTimersByTimeAsync(30_000);
    }
    await expect(daemon.lost).rejects.toMatchObject({
      code: "DAEMON_LOST",
      message: "the agent ended 8 times in a row (exit code 7)",
    });
    expect(children).toHaveLength(8);
  });

  it("is given up at once when its configuration is refused, and tried again when a port is taken", async () => {
    const { start, children } = createStarter((nth) => nth === 0);
    const daemon = await supervise(makeOptions(start));
    children[0]?.end("SIGKILL");
    await vi.advanceTimersByTimeAsync(500);
    children[1]?.refuse(new FleetmarkError("PORT_TAKEN", "it is taken"));
    children[1]?.end("exit code 3");
    await vi.advanceTimersByTimeAsync(1000);
    expect(restarts.at(-1)).toBe("it is taken, 1 s");
    children[2]?.refuse(new FleetmarkError("TLS_EXPIRED", "it expired"));
    children[2]?.end("exit code 2");
    await expect(daemon.lost).rejects.toMatchObject({ code: "TLS_EXPIRED" });
  });

  it("that waits to be started again stops at once", async () => {
    const { start, children } = createStarter();
    const daemon = await supervise(makeOptions(start));
    children[0]?.end("SIGKILL");
    await vi.advanceTimersByTimeAsync(100);
    await daemon.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(children).toHaveLength(1);
  });

  it("that never served says why", async () => {
    const { start, children } = createStarter(() => false);
    const starting = supervise(makeOptions(start));
    children[0]?.refuse(new FleetmarkError("PORT_TAKEN", "it is taken"));
    await expect(starting).rejects.toMatchObject({ code: "PORT_TAKEN" });
  });
});
