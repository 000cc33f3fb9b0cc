import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { describe, expect, it } from "vitest";
import { findExample } from "../../../shared/test/examples.js";
import { createView } from "../../test/host-view.js";
import { readCpuModel } from "./cpu-model.js";
import { nameHardwareClass } from "./hardware-class.js";
import { createHostView } from "./host-view.js";

const name = (cpuinfo: string, known = "unknown", machineId = "a"): string =>
  readCpuModel(createView({ "/proc/cpuinfo": cpuinfo, "/etc/machine-id": machineId }), known);

const arm = (...parts: [string, string][]): string =>
  parts.map(([implementer, part], i) => `processor\t: ${i}\nCPU implementer\t: ${implementer}\nCPU part\t: ${part}\n`).join("\n");

describe("the CPU's model", () => {
  it("is as Node has it on this host", () => {
    if (process.arch === "x64") expect(readCpuModel(createHostView())).toBe(cpus()[0].model.trim());
  });

  it("of ARM is found by implementer and part", () => {
    expect(name(arm(["0x41", "0xd40"], ["0x41", "0xd40"]))).toBe("Neoverse-V1");
    expect(name(arm(["0x41", "0xd0c"]), "Neoverse-N1")).toBe("Neoverse-N1");
    expect(name(arm(["0x99", "0xd40"]))).toBe("arm-0x99-0xd40");
    expect(name(arm(["0x41", "0xfff"]))).toBe("arm-0x41-0xfff");
    expect(name(arm(["0x41", "0xfff"]), "Neoverse-Z9")).toBe("Neoverse-Z9");
    expect(name(`model name\t: ARMv8 Processor rev 1 (v8l)\n${arm(["0x41", "0xd08"])}`)).toBe("Cortex-A72");
  });

  const cores: [string, string][] = [
    ["0x41", "0xd05"],
    ["0x41", "0xd05"],
    ["0x41", "0xd0b"],
  ];

  it("of cores that differ names them all", () => {
    expect(name(arm(...cores))).toBe("2xCortex-A55 1xCortex-A76");
    expect(name(arm(...cores.toReversed()))).toBe("2xCortex-A55 1xCortex-A76");
    const facts = { cpuModel: name(arm(...cores)), cores: 3, memoryBytes: 8 * 2 ** 30, gpus: [] };
    expect(nameHardwareClass(facts)).toBe("2xcortex-a55-1xcortex-a76_3c_8g");
  });

  it.each([
    ["processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\nuarch\t\t: sifive,u74-mc\n", "RISC-V sifive,u74-mc"],
    ["processor\t: 0\nisa\t\t: rv64imafdc\nmvendorid\t: 0x5b7\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\n", "RISC-V 0x5b7 0x0"],
    ["processor\t: 0\nisa\t\t: rv64imafdch_zicsr\nmvendorid\t: 0x0\nmarchid\t\t: 0x0\n", "RISC-V rv64imafdch_zicsr"],
    [
      "processor\t: 0\ncpu\t\t: POWER9 (architected), altivec supported\nclock\t\t: 2200MHz\n",
      "POWER9 (architected), altivec supported",
    ],
    [
      "vendor_id       : IBM/S390\n# processors    : 2\nprocessor 0: version = FF,  identification = 0133E8,  machine = 3906\n",
      "IBM/S390 machine 3906",
    ],
    ["processor\t: 0\nModel Name\t\t: Loongson-3A5000\n", "Loongson-3A5000"],
    ["system type\t: x\nprocessor\t: 0\ncpu model\t\t: ICT Loongson-3 V0.9\n", "ICT Loongson-3 V0.9"],
    [
      "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: unknown\nstepping\t: 8\n",
      "GenuineIntel 6 143 8",
    ],
  ])("is read off %j", (cpuinfo, model) => {
    expect(name(cpuinfo)).toBe(model);
  });

  it("is Node's where there is no such file", () => {
    expect(readCpuModel(createView({}, "darwin"), "Apple M2 Pro")).toBe("Apple M2 Pro");
    expect(readCpuModel(createView({}, "win32"), "AMD Ryzen 9 7950X 16-Core Processor            ")).toBe(
      "AMD Ryzen 9 7950X 16-Core Processor",
    );
  });

  it("of two unknown machines is never the same, and of one always", () => {
    const [one, other, again] = ["a", "b", "a"].map((machineId) => name("processor\t: 0\nBogoMIPS\t: 50.00\n", " ", machineId));
    expect(one).toMatch(/^unknown x64 [0-9a-f]{8}$/);
    expect(other).not.toBe(one);
    expect(again).toBe(one);
  });

  const example = findExample("cpuinfo_arm");
  it.skipIf(example === undefined)("of an example is Neoverse V1 (skipped where the example is not)", () => {
    expect(name(readFileSync(example ?? "", "utf8"))).toBe("Neoverse-V1");
  });
});
