import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createRandom } from "@fleetmark/shared/stats/random";
import { type DecodedBatch, decodeBatch } from "@fleetmark/shared/wire/batch-decoder";
import { decodeAgentFrame } from "@fleetmark/shared/wire/frames";
import { describe, expect, it, onTestFinished } from "vitest";
import { repositoryRoot } from "../testbed/repository-root.js";
import { makeFrame } from "./attackers.js";
import { makeSeeds } from "./seeds.js";
import { isSurelyInvalid } from "./validity.js";

const seed = Math.floor(Math.random() * 2 ** 31);

/** Samples of series with which the decoder finds no fault: the others are refused one by one. */
function countSound({ series, numbers, texts }: DecodedBatch): number {
  return [...numbers.series, ...texts.series].filter((index) => series[index].fault === undefined).length;
}

describe("frames that are damaged", () => {
  it("are told from good ones by a second reading of the protocol", () => {
    for (const bytes of makeSeeds("h1")) {
      expect(isSurelyInvalid(bytes, "h1")).toBe(false);
      expect(isSurelyInvalid(bytes, "h2")).toBe(true);
      expect(isSurelyInvalid(bytes.slice(0, -1), "h1")).toBe(true);
    }
  });

  it(`that this reading calls invalid, the collector's own decoder takes no samples of the host from (seed ${seed})`, () => {
    const random = createRandom(seed);
    const seeds = makeSeeds("h1");
    for (let i = 0; i < 20_000; i++) {
      const bytes = makeFrame(seeds, "h1", random);
      let batch: DecodedBatch;
      try {
        const { frame } = decodeAgentFrame(bytes);
        if (frame.case !== "batch") continue;
        batch = decodeBatch(frame.value);
      } catch {
        continue;
      }
      if (batch.id.host === "h1") expect(countSound(batch), Buffer.from(bytes).toString("base64")).toBe(0);
    }
  });

  it(`do nothing to a collector and the healthy agents beside (seed ${seed})`, async () => {
    const program = join(repositoryRoot, "test/dist/fuzz/main.js");
    const child = spawn(process.execPath, [program, "--frames", "6000", "--seed", String(seed)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGTERM"));
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    await once(child, "close");
    const outcome = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}");
    console.log(JSON.stringify(outcome));
    expect(outcome).toMatchObject({
      seed,
      stored: 0,
      crashes: [],
      healthy: { lost: 0, doubled: 0, changed: 0, strangers: 0, undelivered: 0 },
    });
    expect(outcome.healthy.stored).toBeGreaterThan(0);
    expect(outcome.frames.grpc).toBeGreaterThanOrEqual(3000);
  }, 120_000);
});
