import { describe, expect, it } from "vitest";
import { describeEnd, killGroup, leadGroup } from "./process-group.js";

describe("a process group", () => {
  it("on Windows is a tree, ended by taskkill and never by a negative id", () => {
    const asked: string[][] = [];
    killGroup({ pid: 4711 }, "win32", (args) => void asked.push([...args]));
    killGroup({ pid: undefined }, "win32", (args) => void asked.push([...args]));
    expect(asked).toEqual([["/PID", "4711", "/T", "/F"]]);
    expect(leadGroup("win32")).toEqual({ detached: false, windowsHide: true });
    expect(leadGroup("darwin")).toEqual({ detached: true });
  });

  it("that is gone is fine to kill", () => {
    expect(() => killGroup({ pid: 2 ** 22 + 1 })).not.toThrow();
  });

  it("says how its leader ended", () => {
    expect(describeEnd({ code: 3, killer: null })).toBe("ended with exit code 3");
    expect(describeEnd({ code: null, killer: "SIGABRT" })).toBe("was killed by SIGABRT");
    expect(describeEnd("unseen")).toMatch(/has not ended/);
  });
});
