import { runTool } from "@fleetmark/shared/tools/tool-runner";

/** What systems without /proc tell of another process: its memory and, but for Windows, its CPU time. */
export interface ProcessEntry {
  readonly residentBytes: number;
  readonly cpuS: number | undefined;
}

const deadlineS = 2;

/** Reads `[[dd-]hh:]mm:ss[.cc]` of ps. */
export function parseCpuTime(text: string): number | undefined {
  const [, days = "0", hours = "0", minutes, seconds] = /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text.trim()) ?? [];
  return minutes === undefined ? undefined : ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
}

/** Reads `1234 00:01:02` of `ps -o rss=,time=`; memory in KiB (POSIX leaves rss to systems; all have it so). */
export function parsePs(stdout: string): ProcessEntry | undefined {
  const [, resident, time] = /^\s*(\d+)\s+(\S+)\s*$/.exec(stdout) ?? [];
  return resident === undefined ? undefined : { residentBytes: Number(resident) * 1024, cpuS: parseCpuTime(time) };
}

/** Reads `"node.exe","4711","Console","1","45,678 K"` of tasklist: thousands are parted as the country does it. */
export function parseTasklist(stdout: string): ProcessEntry | undefined {
  const resident = /^"[^"]*","\d+",.*"([\d.,'’\s]+) K"\s*$/m.exec(stdout)?.[1].replaceAll(/\D/g, "");
  return resident === undefined || resident === "" ? undefined : { residentBytes: Number(resident) * 1024, cpuS: undefined };
}

/** Asks the system's own tool for a process; undefined where it does not answer, or the process has ended. */
export async function askProcess(pid: number, platform = process.platform, run = runTool): Promise<ProcessEntry | undefined> {
  const [command, args] =
    platform === "win32"
      ? ["tasklist", ["/FI", `PID eq ${pid}`, "/FO", "CSV", "/NH"]]
      : ["ps", ["-o", "rss=,time=", "-p", String(pid)]];
  const outcome = await run(command, command, args, { deadlineS });
  if (outcome.state !== "ok") return undefined;
  return platform === "win32" ? parseTasklist(outcome.stdout) : parsePs(outcome.stdout);
}
