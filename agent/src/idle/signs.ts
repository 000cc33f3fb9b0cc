import { access } from "node:fs/promises";
import { runTool } from "@fleetmark/shared/tools/tool-runner";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { type Roots, readHostFile } from "../host/host-file.js";
import { memFields, parseMeminfo } from "../probes/mem.js";
import { parsePressure } from "../probes/pressure.js";
import { findCgroup, parseCgroups } from "./cgroups.js";
import type { GpuUse } from "./gpu-use.js";
import type { OtherCpuMeter } from "./other-cpu.js";

/**
 * A sign by which a host's own work is known. `look` says in words what it sees, or nothing where it sees none. It
 * never rejects, and answers within seconds.
 */
export interface Sign {
  readonly name: string;
  /** Whether a run under way would give the sign itself: then it is looked at before a run alone. */
  readonly isOwnToo: boolean;
  /** Seconds between two looks at the least; 0: at each. */
  readonly everyS: number;
  look(): Promise<string | undefined>;
}

const format = (value: number): string => value.toFixed(1);

export function createCpuSign(meter: OtherCpuMeter, mostCores: number): Sign {
  return {
    name: "other_cpu",
    isOwnToo: false,
    everyS: 0,
    look: async () => {
      const cores = await meter.look().catch(() => undefined);
      return cores === undefined || cores <= mostCores
        ? undefined
        : `other processes take ${format(cores)} cores (at most ${mostCores})`;
    },
  };
}

async function readPressure(roots: Roots, resource: string): Promise<number | undefined> {
  try {
    return parsePressure(await readHostFile(roots, "proc", "pressure", resource)).get("some")?.avg10;
  } catch {
    return undefined;
  }
}

/** @param resource of /proc/pressure; where the kernel tells none of it, there is no sign */
export function createPressureSign(roots: Roots, resource: "cpu" | "memory", mostPercent: number): Sign {
  return {
    name: `${resource}_pressure`,
    isOwnToo: true,
    everyS: 0,
    look: async () => {
      const percent = await readPressure(roots, resource);
      if (percent === undefined || percent <= mostPercent) return undefined;
      return `processes wait for ${resource} ${format(percent)} % of the time (at most ${mostPercent})`;
    },
  };
}

export function createMemorySign(roots: Roots, leastPercent: number): Sign {
  return {
    name: "memory",
    isOwnToo: false,
    everyS: 0,
    look: async () => {
      const percent = memFields(parseMeminfo(await readHostFile(roots, "proc", "meminfo").catch(() => "")))?.available_percent;
      if (percent === undefined || percent >= leastPercent) return undefined;
      return `${format(percent)} % of the memory is available (at least ${leastPercent})`;
    },
  };
}

export function createGpuSign(use: GpuUse, utilizationPercent: number, nowUs: () => number): Sign {
  return { name: "gpu", isOwnToo: true, everyS: 0, look: async () => use.findBusy(nowUs(), { utilizationPercent }) };
}

/** Seconds. */
const fileDeadlineS = 1;

/** A file whose being there says that the host is at work, as a lock file does. It may lie where nothing answers. */
export function createFileSign(path: string): Sign {
  let asking: Promise<boolean | undefined> | undefined;
  return {
    name: "file",
    isOwnToo: false,
    everyS: 0,
    look: async () => {
      // One question at a time: each that hangs holds a thread.
      asking ??= access(path).then(
        () => true,
        (thrown: NodeJS.ErrnoException) => (thrown.code === "ENOENT" || thrown.code === "ENOTDIR" ? false : undefined),
      );
      const asked = asking;
      const answered = asked.then((isThere) => ({ isThere }));
      let answer: { isThere: boolean | undefined } | undefined;
      await waitAtMost(
        answered.then((given) => {
          answer = given;
        }),
        fileDeadlineS,
      );
      if (answer === undefined) return `${path} does not answer`;
      if (asking === asked) asking = undefined;
      if (answer.isThere === undefined) return `${path} can't be looked at`;
      return answer.isThere ? `${path} is there` : undefined;
    },
  };
}

/** A control group whose being there says that a job runs; this agent's own group does not count. */
export function createCgroupSign(roots: Roots, pattern: string): Sign {
  return {
    name: "cgroup",
    isOwnToo: false,
    everyS: 1,
    look: async () => {
      const own = parseCgroups(await readHostFile(roots, "proc", "self", "cgroup").catch(() => ""));
      const found = findCgroup(`${roots.sys}/fs/cgroup`, pattern, own);
      return found === undefined ? undefined : `the control group ${found} is there`;
    },
  };
}

/** Seconds. */
const command = { deadlineS: 5, everyS: 10 } as const;

/** A command of the operator's, that ends with exit code 0 where the host is free. */
export function createCommandSign(argv: readonly string[]): Sign {
  const [program = "", ...args] = argv;
  return {
    name: "command",
    isOwnToo: false,
    everyS: command.everyS,
    look: async () => {
      const outcome = await runTool(`idle command ${program}`, program, args, { deadlineS: command.deadlineS, maxBytes: 65_536 });
      return outcome.state === "ok" ? undefined : `${program}: ${outcome.reason}`;
    },
  };
}
