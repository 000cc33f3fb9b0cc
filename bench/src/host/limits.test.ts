import { describe, expect, it } from "vitest";
import { createView } from "../../test/host-view.js";
import { countCores } from "./facts.js";
import { readLimits } from "./limits.js";

const installed = 64 * 2 ** 30;
const root = "/sys/fs/cgroup";
const version2 = (group: string, mounted = "/", files: Record<string, string> = {}) => ({
  "/proc/self/cgroup": `0::${group}\n`,
  "/proc/self/mountinfo": `24 23 0:21 / /sys rw - sysfs sysfs rw\n30 24 0:26 ${mounted} ${root} rw - cgroup2 cgroup2 rw\n`,
  ...Object.fromEntries(Object.entries(files).map(([path, text]) => [`${root}${path}`, text])),
});
const limitsOf = (files: Record<string, string>) => readLimits(createView(files), installed);
const unlimited = { memoryBytes: undefined, cpus: undefined, cpuset: undefined };

describe("limits of control groups, version 2", () => {
  it("are the smallest on the way up, wherever it stands", () => {
    const files = {
      "/kube/pod/c/cpu.max": "max 100000",
      "/kube/pod/c/memory.max": "max",
      "/kube/pod/c/memory.high": "3000000000",
      "/kube/pod/cpu.max": "150000 100000",
      "/kube/pod/memory.max": "8000000000",
      "/kube/cpu.max": "400000 100000",
      "/kube/memory.max": "4000000000",
    };
    expect(limitsOf(version2("/kube/pod/c", "/", files))).toEqual({ ...unlimited, memoryBytes: 3e9, cpus: 1.5 });
  });

  it("of a group without files of its own are those above", () => {
    expect(limitsOf(version2("/a/b/c", "/", { "/a/cpu.max": "50000 100000" })).cpus).toBe(0.5);
  });

  it.each([
    ["a path of the host's, which is not mounted", version2("/docker/1", "/docker/1", { "/cpu.max": "200000 100000" })],
    ["a path beside what is mounted", version2("/other/1", "/docker/1", { "/cpu.max": "200000 100000" })],
    ["a path outside of the namespace", version2("/../../x", "/", { "/cpu.max": "200000 100000" })],
    [
      "a path below what is mounted",
      version2("/docker/1/app", "/docker/1", { "/cpu.max": "max 100000", "/app/cpu.max": "200000 100000" }),
    ],
  ])("are found by %s", (_, files) => {
    expect(limitsOf(files).cpus).toBe(2);
  });

  it("are none where all are max, or more than there is", () => {
    expect(limitsOf(version2("/a", "/", { "/a/cpu.max": "max 100000", "/a/memory.max": `${2 ** 40}` }))).toEqual(unlimited);
    expect(limitsOf(version2("/a", "/", { "/a/cpu.max": "nonsense", "/a/memory.max": "-5" }))).toEqual(unlimited);
    expect(limitsOf({})).toEqual(unlimited);
  });
});

describe("limits of control groups, version 1 and hybrid", () => {
  const cpu = `${root}/cpu,cpuacct`;
  const hybrid = {
    "/proc/self/cgroup": "5:cpu,cpuacct:/a/b\n4:memory:/a/b\n3:cpuset:/\n0::/a/b\n",
    "/proc/self/mountinfo": [
      `33 32 0:30 / ${cpu} rw - cgroup cgroup rw,cpu,cpuacct`,
      `34 32 0:31 / ${root}/memory rw - cgroup cgroup rw,memory`,
      `35 32 0:32 / ${root}/unified rw - cgroup2 cgroup2 rw`,
    ].join("\n"),
  };
  const none = "9223372036854771712";

  it("are the smallest of both trees", () => {
    const files = {
      [`${cpu}/a/b/cpu.cfs_quota_us`]: "-1",
      [`${cpu}/a/b/cpu.cfs_period_us`]: "100000",
      [`${cpu}/a/cpu.cfs_quota_us`]: "25000",
      [`${cpu}/a/cpu.cfs_period_us`]: "50000",
      [`${root}/memory/a/b/memory.limit_in_bytes`]: none,
      [`${root}/memory/a/memory.limit_in_bytes`]: "2000000000",
      [`${root}/memory/memory.limit_in_bytes`]: none,
    };
    expect(limitsOf({ ...hybrid, ...files })).toEqual({ ...unlimited, memoryBytes: 2e9, cpus: 0.5 });
    const unified = { [`${root}/unified/a/memory.max`]: "1000000000" };
    expect(limitsOf({ ...hybrid, ...files, ...unified }).memoryBytes).toBe(1e9);
  });

  it("of groups that a container does not see stand in its memory.stat", () => {
    const files = {
      [`${root}/memory/memory.limit_in_bytes`]: none,
      [`${root}/memory/memory.stat`]: "cache 1\nhierarchical_memory_limit 3000000000\ntotal_cache 1",
    };
    expect(limitsOf({ ...hybrid, ...files }).memoryBytes).toBe(3e9);
  });

  it("are none where all are unlimited", () => {
    const files = { [`${root}/memory/a/memory.limit_in_bytes`]: none, [`${cpu}/a/cpu.cfs_quota_us`]: "-1" };
    expect(limitsOf({ ...hybrid, ...files })).toEqual(unlimited);
  });
});

describe("processors", () => {
  const host = (allowed: string, online: string) =>
    createView({
      "/proc/self/status": `Name:\tnode\nCpus_allowed_list:\t${allowed}\n`,
      "/sys/devices/system/cpu/online": online,
    });

  it("are those of the affinity that are online, whatever the quota", () => {
    expect(countCores(host("0-127", "0-3"))).toBe(4);
    expect(countCores(host("2", "0-3"))).toBe(1);
    expect(readLimits(host("2", "0-3"), installed).cpuset).toBe(1);
    expect(readLimits(host("0-127", "0-3"), installed).cpuset).toBeUndefined();
  });

  it("are counted by Node where the kernel lists none", () => {
    expect(countCores(createView({}, "darwin"))).toBeGreaterThan(0);
  });
});
