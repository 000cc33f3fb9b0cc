import { readFileSync } from "node:fs";
import { createSmiRunner } from "@fleetmark/bench/gpus";
import type { Point } from "@fleetmark/shared/model/series";
import { checkSeries } from "@fleetmark/shared/model/series";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createFakeNvidiaSmi, type FakeNvidiaSmi } from "../../../bench/test/fake-nvidia-smi.js";
import { smiLog } from "../../../bench/test/smi-log.js";
import { findCapture } from "../../../shared/test/examples.js";
import { openNvidiaSmi } from "./nvidia-cards.js";
import { FailedSample, type OpenProbe } from "./probe.js";

let smi: FakeNvidiaSmi;
let probe: OpenProbe;
let nowUs: number;
let opened = 0;

beforeEach(() => {
  smi = createFakeNvidiaSmi();
  vi.stubEnv("PATH", `${smi.folder}:${process.env.PATH}`);
  // A name each: what one test leaves hanging is no trouble of the next.
  probe = openNvidiaSmi(createSmiRunner(`nvidia-smi of a test ${++opened}`, 1));
  nowUs = 1e15;
});
afterEach(() => {
  vi.unstubAllEnvs();
  probe.close();
  smi.remove();
});

/** Takes a sample ten seconds after the one before; a failed one gives what it tells all the same. */
async function take(): Promise<Point[]> {
  nowUs += 10e6;
  try {
    return await probe.sample(nowUs);
  } catch (thrown) {
    if (thrown instanceof FailedSample) return [...thrown.points];
    throw thrown;
  }
}

const toolOf = (points: readonly Point[]) => points.find(({ measurement }) => measurement === "gpu_tool_state")?.fields;
const cardsOf = (points: readonly Point[]) => points.filter(({ measurement }) => measurement === "nvidia_smi");

describe("the probe nvidia_smi", () => {
  it("tells of each card by Telegraf's names, and of the tool", async () => {
    smi.print(smiLog({ cards: 2, only: { 1: { "temperature/gpu_temp": "88 C" } } }));
    const points = await take();
    expect(cardsOf(points)).toMatchObject([
      {
        tags: { index: "0", uuid: "GPU-0", name: "NVIDIA H100 80GB HBM3", arch: "Hopper", pstate: "P0", compute_mode: "Default" },
        timeUs: nowUs,
        fields: {
          temperature_gpu: 31,
          power_draw: 71.5,
          memory_total: 81559,
          lost: 0,
          unreadable: 0,
          process_count: 0,
          driver_version: "580.159.04",
        },
      },
      { tags: { index: "1" }, fields: { temperature_gpu: 88 } },
    ]);
    expect(toolOf(points)).toMatchObject({ state: "ok", cards: 2, cards_attached: 2, cards_lost: 0 });
    // Texts are told again when they change.
    expect(cardsOf(await take())[0].fields).not.toHaveProperty("driver_version");
    smi.print(smiLog({ cards: 2, driver: "590.48.01" }));
    expect(cardsOf(await take())[0].fields).toMatchObject({ driver_version: "590.48.01" });
  });

  it.each([
    [4, "Failed to initialize NVML: Insufficient Permissions"],
    [6, "No devices were found"],
    [9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."],
    [12, "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system."],
    [15, "Failed to initialize NVML: GPU is lost"],
    [18, "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.261"],
    [255, "Failed to initialize NVML: Unknown Error"],
  ])("tells that the tool failed with exit code %i and why, and recovers", async (exitCode, words) => {
    smi.print(`${words}\n`, exitCode);
    expect(toolOf(await take())).toMatchObject({ state: "failed", reason: expect.stringContaining(words.split("\n")[0]) });
    smi.print(smiLog());
    expect(toolOf(await take())).toMatchObject({ state: "ok", cards: 1 });
  });

  it("takes half a document for a failure, whatever it ends with", async () => {
    const half = smiLog({ cards: 8 }).slice(0, 3000);
    smi.print(half, 139);
    expect(toolOf(await take())).toMatchObject({ state: "failed", reason: expect.stringContaining("139") });
    smi.print(half, 0);
    expect(toolOf(await take())).toMatchObject({ state: "failed", reason: expect.stringContaining("no whole document") });
    smi.act("kill -SEGV $$\n");
    expect(toolOf(await take())).toMatchObject({ state: "failed", reason: expect.stringContaining("SIGSEGV") });
    smi.act("head -c 100000 /dev/urandom\n");
    expect(toolOf(await take())).toMatchObject({ state: "failed" });
  });

  it.each([
    ["sleeps", "sleep 60\n"],
    ["sleeps and ignores signals", "trap '' TERM INT HUP\nwhile :; do sleep 1; done\n"],
    ["leaves a child that holds its output", "sleep 60 &\nsleep 60\n"],
    ["floods", "yes '<gpu>'\n"],
  ])("waits for no tool that %s", async (_, script) => {
    smi.act(script);
    const begun = performance.now();
    expect(toolOf(await take())).toMatchObject({ state: expect.stringMatching(/timed_out|failed/) });
    expect(performance.now() - begun).toBeLessThan(5000);
    smi.print(smiLog());
    await vi.waitFor(async () => expect(toolOf(await take())).toMatchObject({ state: "ok" }), 5000);
  });

  it("takes output whose pipe a grandchild still holds", async () => {
    smi.print(smiLog());
    const whole = readFileSync(`${smi.folder}/text-1`, "utf8");
    expect(whole.length).toBeGreaterThan(100);
    smi.act(`sleep 60 &\ncat '${smi.folder}/text-1'\n`);
    expect(toolOf(await take())).toMatchObject({ state: "ok", cards: 1 });
  });

  it("goes on with the others when one card is lost, and notices that it is back", async () => {
    smi.print(smiLog({ cards: 3 }));
    await take();
    const others = [0, 2].map((i) => {
      smi.print(
        smiLog({ cards: 3 }).replaceAll(/<gpu id="00000000:0(\d):00.0">[\s\S]*?<\/gpu>/g, (card, j) =>
          Number(j) === i ? card : "",
        ),
      );
      return readFileSync(`${smi.folder}/nvidia-smi`, "utf8").match(/'(.*)'/)?.[1];
    });
    const line =
      "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU";
    smi.act(
      `case "$4" in 00000000:00:00.0) . '${others[0]}';; 00000000:02:00.0) . '${others[1]}';; esac\necho '${line}'\nexit 15\n`,
    );
    const points = await take();
    expect(cardsOf(points).map(({ tags, fields }) => [tags.index, fields.lost])).toEqual([
      ["0", 0],
      ["2", 0],
      ["1", 1],
    ]);
    expect(cardsOf(points)[2].fields.lost_reason).toContain("GPU is lost");
    expect(toolOf(points)).toMatchObject({ state: "ok", cards: 2, cards_lost: 1, cards_attached: 3 });
    smi.print(smiLog({ cards: 3 }));
    expect(cardsOf(await take()).map(({ fields }) => fields.lost)).toEqual([0, 0, 0]);
  });

  it("tells of a card that is listed no more, and of one that says so itself", async () => {
    smi.print(smiLog({ cards: 2 }));
    await take();
    smi.print(smiLog({ cards: 1 }));
    expect(cardsOf(await take()).map(({ tags, fields }) => [tags.index, fields.lost])).toEqual([
      ["0", 0],
      ["1", 1],
    ]);
    smi.print(
      smiLog({ cards: 2, only: { 1: { "utilization/gpu_util": "GPU is lost", "temperature/gpu_temp": "GPU is lost" } } }),
    );
    const [, second] = cardsOf(await take());
    expect(second.fields).toMatchObject({ lost: 1, unreadable: 2, unreadable_reason: "temperature_gpu: GPU is lost" });
  });

  it("is unavailable without the tool, and looks for it again later", async () => {
    smi.vanish();
    vi.stubEnv("PATH", smi.folder);
    await expect(take()).rejects.toMatchObject({ code: "ENOENT" });
    smi.act("echo nothing\n");
    await expect(take()).rejects.toMatchObject({ code: "ENOENT" });
    nowUs += 300e6;
    expect(toolOf(await take())).toMatchObject({ state: "failed" });
    vi.unstubAllEnvs();
  });

  it("takes a card's other UUID or number for what it is: another card", async () => {
    smi.print(smiLog({ cards: 2 }));
    await take();
    smi.print(smiLog({ cards: 2, only: { 0: { uuid: "GPU-1" }, 1: { uuid: "GPU-9" } } }));
    expect(cardsOf(await take()).map(({ tags, fields }) => [tags.index, tags.uuid, fields.lost])).toEqual([
      ["0", "GPU-1", 0],
      ["1", "GPU-9", 0],
    ]);
  });
});

const captures = findCapture("nvidia-smi");

it.skipIf(captures === undefined).each(["hw-b200", "hw-gb200", "a100-sxm4-v12", "tesla-t4", "mock-gb200-lost"])(
  "what a real tool printed (%s) makes points that can be stored",
  async (name) => {
    smi.print(readFileSync(`${captures}/${name}.xml`, "utf8"));
    const points = await take();
    expect(points.length).toBeGreaterThan(1);
    for (const { measurement, tags, fields } of points) {
      for (const field of Object.keys(fields)) checkSeries({ measurement, tags, field });
      for (const value of Object.values(fields)) expect(["number", "string"]).toContain(typeof value);
    }
  },
);
