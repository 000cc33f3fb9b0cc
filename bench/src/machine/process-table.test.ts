import { describe, expect, it } from "vitest";
import { readOwnResident } from "./memory.js";
import { askProcess, parseCpuTime, parsePs, parseTasklist } from "./process-table.js";

describe("the table of processes", () => {
  it("is read as ps writes it", () => {
    expect(parsePs("  45678 00:01:02\n")).toEqual({ residentBytes: 45_678 * 1024, cpuS: 62 });
    expect(parsePs("   1024   0:00.53\n")).toEqual({ residentBytes: 1024 * 1024, cpuS: 0.53 });
    expect(parsePs("ps: illegal option\n")).toBeUndefined();
    expect(parsePs("")).toBeUndefined();
    expect(parseCpuTime("1-02:03:04")).toBe(93_784);
    expect(parseCpuTime("nonsense")).toBeUndefined();
  });

  it("is read as tasklist writes it, in any country", () => {
    const line = (memory: string): string => `"node.exe","4711","Console","1","${memory} K"\r\n`;
    for (const memory of ["45,678", "45.678", "45 678", "45\u00a0678", "45’678"]) {
      expect(parseTasklist(line(memory))).toEqual({ residentBytes: 45_678 * 1024, cpuS: undefined });
    }
    expect(parseTasklist("INFO: No tasks are running which match the specified criteria.\r\n")).toBeUndefined();
  });

  it("tells of this process what it knows itself", async () => {
    const entry = await askProcess(process.pid);
    if (entry === undefined) return; // no ps here
    expect(Math.abs(entry.residentBytes - readOwnResident().now)).toBeLessThan(100e6);
    expect(await askProcess(2 ** 22 - 1)).toBeUndefined();
  });

  it("is asked of the system's own tool", async () => {
    const asked: string[] = [];
    const run = async (_: string, command: string, args: readonly string[]) => {
      asked.push([command, ...args].join(" "));
      return { state: "absent", reason: "not found", seconds: 0 } as const;
    };
    expect(await askProcess(7, "darwin", run)).toBeUndefined();
    expect(await askProcess(7, "win32", run)).toBeUndefined();
    expect(asked).toEqual(["ps -o rss=,time= -p 7", "tasklist /FI PID eq 7 /FO CSV /NH"]);
  });
});
