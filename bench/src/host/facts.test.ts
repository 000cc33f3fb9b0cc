import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createTools, createView, hung, listBusFiles, printed } from "../../test/host-view.js";
import { readHostFacts } from "./facts.js";
import { nameHardwareClass } from "./hardware-class.js";
import { findStateFolder } from "./known-gpus.js";
import { recallHardwareClass } from "./recalled-class.js";

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-state-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const view = createView({});
const working = createTools({ "nvidia-smi": printed("NVIDIA L4\n") });

describe("facts of a host", () => {
  it("keep its class while a tool hangs, from one process to the next", async () => {
    const stateFolder = join(makeFolder(), "made", "at", "need");
    const before = await readHostFacts({ stateFolder, view, runTool: working });
    const during = await readHostFacts({ stateFolder, view, runTool: createTools({ "nvidia-smi": hung }) });
    expect(during).toMatchObject({
      gpus: ["NVIDIA L4"],
      gpuToolState: { "nvidia-smi": "timed_out" },
      gpuToolReason: { "nvidia-smi": "no end within 5 s" },
      findings: ["nvidia-smi told of no GPU (timed out: no end within 5 s)"],
    });
    expect(nameHardwareClass(during)).toBe(nameHardwareClass(before));
  });

  it("name its class before any tool has answered, where that is known", async () => {
    const stateFolder = makeFolder();
    const device = { vendor: "0x10de", device: "0x27b8", class: "0x030200" };
    const withGpu = createView(listBusFiles({ "0000:17:00.0": device }));
    const none = await readHostFacts({ stateFolder, view, runTool: createTools({}) });
    expect(await recallHardwareClass({ stateFolder, view })).toBe(nameHardwareClass(none));
    // Only the tool knows what it is called.
    expect(await recallHardwareClass({ stateFolder, view: withGpu })).toBeUndefined();
    const told = await readHostFacts({ stateFolder, view: withGpu, runTool: working });
    expect(await recallHardwareClass({ stateFolder, view: withGpu })).toBe(nameHardwareClass(told));
  });

  it("need no folder for it, and mind no nonsense in it", async () => {
    const stateFolder = makeFolder();
    await readHostFacts({ stateFolder, view, runTool: working });
    const [name] = readdirSync(stateFolder);
    for (const nonsense of ["", "{", '{"nvidia": 1}', '{"nvidia": {"bus": [], "gpus": [2]}}']) {
      writeFileSync(join(stateFolder, name), nonsense);
      expect((await readHostFacts({ stateFolder, view, runTool: createTools({ "nvidia-smi": hung }) })).gpus).toEqual([]);
    }
    expect((await readHostFacts({ stateFolder: "/dev/null/none", view, runTool: working })).gpus).toEqual(["NVIDIA L4"]);
  });

  it("of this host make a class that a tag may hold", async () => {
    expect(nameHardwareClass(await readHostFacts({ stateFolder: makeFolder() }))).toMatch(/^[a-z0-9._-]{5,100}$/);
  });
});

describe("a hardware class", () => {
  const facts = { cores: 2, memoryBytes: 25_276_518_400, gpus: [] };

  it.each([
    ["AMD EPYC", "amd-epyc_2c_24g"],
    ["AMD EPYC 7763 64-Core Processor", "amd-epyc-7763-64-core_2c_24g"],
    ["Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "intel-xeon-platinum-8375c_2c_24g"],
    ["Apple M2 Pro", "apple-m2-pro_2c_24g"],
  ])("of %s is what it ever was", (cpuModel, name) => {
    expect(nameHardwareClass({ ...facts, cpuModel })).toBe(name);
  });

  it("that is too long still tells two hosts apart", () => {
    const gpus = ["NVIDIA A100-SXM4-80GB MIG 7x1g.10gb", "NVIDIA H100 80GB HBM3 MIG 2x3g.40gb", "NVIDIA L40S with a long name"];
    const [one, other] = [gpus, [...gpus, "NVIDIA T4"]].map((each) =>
      nameHardwareClass({ ...facts, cpuModel: "AMD EPYC", gpus: each }),
    );
    expect(one).toHaveLength(100);
    expect(other).not.toBe(one);
  });
});

describe("the folder for state", () => {
  it("is the service's, the person's, or what is usual on the system", () => {
    expect(findStateFolder({ STATE_DIRECTORY: "/var/lib/a:/var/lib/b" }, "linux", "/root")).toBe("/var/lib/a");
    expect(findStateFolder({ XDG_STATE_HOME: "/s" }, "linux", "/root")).toBe(join("/s", "fleetmark"));
    expect(findStateFolder({}, "darwin", "/Users/x")).toBe(join("/Users/x", ".local", "state", "fleetmark"));
    expect(findStateFolder({ LOCALAPPDATA: "/local" }, "win32", "/home")).toBe(join("/local", "fleetmark"));
  });
});
