import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findExample } from "../../../shared/test/examples.js";
import { createView } from "../../test/host-view.js";
import { readFingerprint } from "./fingerprint.js";
import { parseNvidiaVersion } from "./nvidia-driver.js";

describe("the version of NVIDIA's module", () => {
  it.each([
    ["NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (builder@host)", "570.86.15"],
    ["NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.65.06  Release Build  (dvs-builder@U22)", "580.65.06"],
    [
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc version 12.2.0",
      "535.104.05",
    ],
    ["NVRM version: NVIDIA UNIX x86_64 Kernel Module  396.26  Mon Apr 30 18:01:39 PDT 2018", "396.26"],
    ["GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)", undefined],
    ["NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  Release Build  (builder@host)", undefined],
    ["", undefined],
  ])("is read off %j", (text, version) => {
    expect(parseNvidiaVersion(text)).toBe(version);
  });

  it("is a version or missing, whatever the text", () => {
    const noisy = fc.tuple(fc.string(), fc.string()).map(([a, b]) => `NVRM version: ${a} Kernel Module ${b}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), noisy), (text) => {
        expect(parseNvidiaVersion(text) ?? "0.0").toMatch(/^\d+(\.\d+)+$/);
      }),
    );
  });

  it("is found between noise", () => {
    const word = fc.stringMatching(/^[A-Za-z(@)_-]{0,10}$/);
    fc.assert(
      fc.property(fc.array(word), fc.array(word), (before, after) => {
        const text = `NVRM version: NVIDIA UNIX Kernel Module ${before.join(" ")} 570.86.15 ${after.join(" ")}`;
        expect(parseNvidiaVersion(text)).toBe("570.86.15");
      }),
    );
  });

  const example = findExample("nvidia_version_open");
  it.skipIf(example === undefined)("of an example is 570.86.15 (skipped where the example is not)", () => {
    expect(parseNvidiaVersion(readFileSync(example ?? "", "utf8"))).toBe("570.86.15");
  });
});

describe("the fingerprint", () => {
  const thp = "/sys/kernel/mm/transparent_hugepage/enabled";

  it("holds what the kernel shows", () => {
    const files = {
      "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
      "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "powersave",
      "/proc/cpuinfo": "processor\t: 0\nmicrocode\t: 0xb000040\n",
      "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
      "/sys/module/nvidia/version": "570.86.15",
      "/sys/module/amdgpu/version": "6.10.5",
      [thp]: "always [madvise] never",
    };
    expect(readFingerprint(createView(files))).toMatchObject({
      governor: "performance,powersave",
      microcode: "0xb000040",
      clock_source: "tsc",
      nvidia_driver: "570.86.15",
      amdgpu_driver: "6.10.5",
      transparent_hugepages: "madvise",
      node: process.versions.node,
      jax_js: expect.stringMatching(/^\d/),
      tfjs: expect.stringMatching(/^\d/),
    });
  });

  it("leaves out what is not shown, and what is no word", () => {
    const usual = Object.keys(readFingerprint(createView({})));
    expect(usual).toEqual(["kernel", "node", "v8", "jax_js", "tfjs"]);
    const strange = {
      "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "<unknown>",
      "/proc/cpuinfo": "microcode\t: \nbugs\t: none",
      "/sys/devices/system/clocksource/clocksource0/current_clocksource": "no clock at all",
      "/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64",
      "/sys/module/amdgpu/version": "(none)",
      [thp]: "",
    };
    expect(Object.keys(readFingerprint(createView(strange)))).toEqual(usual);
  });

  it("reads nothing of Linux on other systems", () => {
    expect(Object.keys(readFingerprint(createView({}, "darwin")))).not.toContain("governor");
  });
});
