import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { absent, createTools, createView, failed, hung, listBusFiles, printed } from "../../test/host-view.js";
import { isGpuName } from "./gpu-name.js";
import { parseAmdList, parseMigList, parseNvidiaList, parseRocmList } from "./gpu-tools.js";
import { readGpus } from "./gpus.js";
import { nameHardwareClass } from "./hardware-class.js";
import type { KnownGpus } from "./known-gpus.js";

const h100 = { vendor: "0x10de", device: "0x2330", class: "0x030200", driver: "nvidia" };
const h100Name = "NVIDIA H100 80GB HBM3";
const addressOf = (i: number): string => `0000:${(0x10 + i).toString(16)}:00.0`;
const busOf = (count: number, device = h100) =>
  listBusFiles(Object.fromEntries(Array.from({ length: count }, (_, i) => [addressOf(i), device])));
const driverOf = (count: number, model = h100Name): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `/proc/driver/nvidia/gpus/${addressOf(i)}/information`,
      `Model: \t\t ${model}\nIRQ:   \t\t 78\nGPU UUID: \t GPU-1\nBus Type: \t PCIe\nBus Location: \t ${addressOf(i)}\n`,
    ]),
  );
const listing = (count: number): string =>
  Array.from({ length: count }, (_, i) => `${h100Name}, 0000${addressOf(i).toUpperCase()}\n`).join("");

const read = (
  files: Record<string, string>,
  outcomes: Parameters<typeof createTools>[0] = {},
  known: KnownGpus = {},
  platform: NodeJS.Platform = "linux",
) => readGpus(createView(files, platform), createTools(outcomes, files), known);

const classOf = (gpus: readonly string[]): string => nameHardwareClass({ cpuModel: "X", cores: 2, memoryBytes: 2 ** 34, gpus });

/** What tools printed in bug reports instead of names. */
const complaints = [
  "No devices were found",
  "no devices were found",
  "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
  "Failed to initialize NVML: Driver/library version mismatch",
  "Failed to initialize NVML: Unknown Error",
  "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU",
  "[Unknown Error]",
  "[GPU requires reset]",
  "N/A",
  "[N/A]",
  "WARNING: infoROM is corrupted at gpu 0000:3B:00.0",
  'Field "pci.bus_id" is not a valid field to query.',
  "/usr/bin/nvidia-smi: line 3: syntax error",
  "Segmentation fault",
  "Killed",
];

describe("names of GPUs", () => {
  it.each(complaints)("are never %j", async (complaint) => {
    const outcomes = { "nvidia-smi": printed(`${complaint}\n`), "rocm-smi": printed(`${complaint}\n`) };
    const { gpus, toolStates, toolReasons, findings } = await read({}, outcomes);
    expect(gpus).toEqual([]);
    expect(toolStates).toMatchObject({ "nvidia-smi": "failed", "rocm-smi": "failed", "amd-smi": "absent" });
    expect(toolReasons["nvidia-smi"]).toContain("makes no sense");
    expect(findings.join()).toContain("nvidia-smi told of no GPU (failed");
  });

  it("are never made of noise", () => {
    fc.assert(
      fc.property(fc.string(), (noise) => {
        const all = [...parseNvidiaList(noise).gpus, ...parseRocmList(noise), ...parseAmdList(noise)];
        expect(all.every(({ name }) => isGpuName(name))).toBe(true);
        expect(parseMigList(noise).every((mig) => mig === "")).toBe(true);
      }),
    );
  });

  it.each([
    "NVIDIA H100 80GB HBM3",
    "Tesla V100-SXM2-16GB",
    "A100-SXM4-40GB",
    "GeForce RTX 2080 Ti",
    "Quadro RTX 6000",
    "TITAN Xp",
    "NVIDIA GeForce RTX 4090",
    "NVIDIA RTX 6000 Ada Generation",
    "GRID V100D-8Q",
    "NVIDIA Graphics Device",
  ])("may be %s", async (name) => {
    expect((await read({}, { "nvidia-smi": printed(`${name}\n`) })).gpus).toEqual([name]);
  });
});

describe("GPUs", () => {
  it("are as the tool tells, as before", async () => {
    const { gpus, findings, toolStates } = await read({ ...busOf(2), ...driverOf(2) }, { "nvidia-smi": printed(listing(2)) });
    expect(gpus).toEqual([h100Name, h100Name]);
    expect(findings).toEqual([]);
    expect(toolStates).toEqual({ "nvidia-smi": "ok", "rocm-smi": "absent", "amd-smi": "absent" });
    expect(classOf(gpus)).toBe("x_2c_16g_2xnvidia-h100-80gb-hbm3");
  });

  it.each([
    ["hangs", hung, /nvidia-smi told of no GPU \(timed out: no end within 5 s\)/],
    ["fails", failed("ended with exit code 9"), /failed: ended with exit code 9/],
    ["is absent", absent, /nvidia-smi told of no GPU \(not found\)/],
    ["talks nonsense", printed("No devices were found"), /makes no sense/],
  ])("are of the same class while the tool %s", async (_, outcome, finding) => {
    const { gpus, findings } = await read({ ...busOf(2), ...driverOf(2) }, { "nvidia-smi": outcome });
    expect(gpus).toEqual([h100Name, h100Name]);
    expect(findings.join()).toMatch(finding);
  });

  it("that the driver lacks are a finding", async () => {
    const { gpus, findings } = await read({ ...busOf(8), ...driverOf(7) }, { "nvidia-smi": printed(listing(7)) });
    expect(gpus).toHaveLength(7);
    expect(findings).toEqual(["8 NVIDIA GPUs on the bus, 7 in the driver: 0000:17:00.0 missing"]);
  });

  it("that the tool lacks are a finding", async () => {
    const { findings } = await read({ ...busOf(8), ...driverOf(8) }, { "nvidia-smi": printed(listing(7)) });
    expect(findings).toEqual(["8 NVIDIA GPUs in the driver, 7 by nvidia-smi"]);
  });

  it("without a driver are known by their ids, and what holds them is said", async () => {
    const { gpus, findings } = await read(busOf(2, { ...h100, driver: "nouveau" }));
    expect(gpus).toEqual(["NVIDIA 0x2330", "NVIDIA 0x2330"]);
    expect(findings[0]).toBe(
      "2 NVIDIA GPUs on the bus, none in the driver: 0000:10:00.0, 0000:11:00.0 missing; bound to nouveau",
    );
  });

  it("without a driver are named as the tool named them last, if the bus is the same", async () => {
    const first = await read({ ...busOf(2), ...driverOf(2) }, { "nvidia-smi": printed(listing(2)) });
    expect((await read(busOf(2), {}, first.known)).gpus).toEqual([h100Name, h100Name]);
    expect((await read(busOf(1), {}, first.known)).gpus).toEqual(["NVIDIA 0x2330"]);
  });

  it("that only a tool knows, as in WSL, are remembered while it fails", async () => {
    const { known } = await read({}, { "nvidia-smi": printed(`${h100Name}\n`) });
    const during = await read({}, { "nvidia-smi": hung }, known);
    expect(during.gpus).toEqual([h100Name]);
    expect(during.known).toEqual(known);
    expect((await read({}, {}, known)).gpus).toEqual([]);
    expect((await read({}, { "nvidia-smi": printed("") }, known)).known).toEqual({});
  });

  it("are nobody's on a host that has none", async () => {
    expect(await read({})).toMatchObject({ gpus: [], findings: [], known: {} });
  });

  it("are of another class when they are partitioned, and stay so while the tool does not say how", async () => {
    const partitions = `GPU 0: ${h100Name} (UUID: GPU-1)\n  MIG 3g.40gb     Device  0: (UUID: MIG-1)\n  MIG 1g.10gb     Device  1: (UUID: MIG-2)\n  MIG 1g.10gb     Device  2: (UUID: MIG-3)\n`;
    const files = { ...busOf(1), ...driverOf(1) };
    const outcomes = { "nvidia-smi": printed(listing(1)), "nvidia-smi -L": printed(partitions) };
    const whole = await read(files, outcomes);
    expect(classOf(whole.gpus)).toBe("x_2c_16g_1xnvidia-h100-80gb-hbm3-mig-2x1g.10gb-1x3g.40gb");
    expect((await read(files, { ...outcomes, "nvidia-smi -L": hung }, whole.known)).gpus).toEqual(whole.gpus);
  });

  it("of AMD are named by the kernel, rocm-smi or amd-smi", async () => {
    const mi300 = { vendor: "0x1002", device: "0x74a1", class: "0x120000", driver: "amdgpu" };
    const named = listBusFiles({ "0000:05:00.0": { ...mi300, product_name: "AMD Instinct MI300X" } });
    expect((await read(named)).gpus).toEqual(["AMD Instinct MI300X"]);
    const unnamed = listBusFiles({ "0000:05:00.0": mi300 });
    const rocm = "GPU[0]\t\t: Card Series: \t\tAMD Instinct MI300X\nGPU[0]\t\t: Card Model: \t\t0x74a1\n";
    expect((await read(unnamed, { "rocm-smi": printed(rocm) })).gpus).toEqual(["AMD Instinct MI300X"]);
    const json = JSON.stringify({ gpu_data: [{ gpu: 0, asic: { market_name: "AMD Instinct MI300X" } }] });
    expect((await read(unnamed, { "amd-smi": printed(json) })).gpus).toEqual(["AMD Instinct MI300X"]);
    expect((await read(unnamed)).gpus).toEqual(["AMD 0x74a1"]);
  });

  it("are none of what shows a screen alone, serves a virtual machine, or is part of another", async () => {
    const files = listBusFiles({
      "0000:00:02.0": { vendor: "0x8086", device: "0x4680", class: "0x030000", driver: "i915" },
      "0000:01:00.0": { vendor: "0x1a03", device: "0x2000", class: "0x030000", driver: "ast" },
      "0000:02:00.0": { vendor: "0x1002", device: "0x164e", class: "0x030000", driver: "amdgpu" },
      "0000:03:00.0": { ...h100, driver: "vfio-pci" },
      "0000:04:00.4": { ...h100, physfn: "0000:04:00.0" },
      "0000:05:00.0": { ...h100, class: "0x068000" },
      "0000:06:00.1": { vendor: "0x10de", device: "0x10fa", class: "0x040300" },
    });
    expect(await read(files)).toMatchObject({ gpus: [], findings: [] });
  });

  it("are those of the tool on other systems, which show no bus", async () => {
    expect((await read({}, { "nvidia-smi": printed(listing(1)) }, {}, "win32")).gpus).toEqual([h100Name]);
  });
});
