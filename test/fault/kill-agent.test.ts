import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { nameBatch } from "@fleetmark/shared/model/batch";
import { afterAll, describe, expect, it } from "vitest";
import { makeBytes, openTestSpool } from "../../agent/test/spool.js";
import { makeFolder } from "../testbed/program.js";

const kills = 8;
const folder = makeFolder();
afterAll(folder.remove);

interface Told {
  readonly durable: Set<string>;
  readonly released: Set<string>;
}

/**
 * Lets a process write to the spool and kills it at a random moment, after it has said that some batches are durable.
 */
async function writeAndKill(dir: string, told: Told): Promise<void> {
  const child = spawn(process.execPath, ["test/run.mjs", "test/fault/spool-writer.ts", dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    text += more;
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const before = Date.now();
  while (!text.includes("durable") && Date.now() - before < 60_000) await delay(5);
  await delay(Math.random() * 300);
  child.kill("SIGKILL");
  await ended;
  for (const line of text.slice(0, text.lastIndexOf("\n")).split("\n")) {
    const [word, name] = line.split(" ");
    (word === "durable" ? told.durable : told.released).add(name);
  }
}

describe("a process that writes to a spool, killed again and again", () => {
  it(`has lost no batch that it called durable, over ${kills} kills`, async () => {
    const told: Told = { durable: new Set(), released: new Set() };
    for (let kill = 0; kill < kills; kill++) await writeAndKill(folder.path, told);
    const { spool, counts, readAll } = await openTestSpool(folder.path, { maxBytes: 2 ** 30, maxAge: 1e12 });
    const all = await readAll();
    const found = new Set(all.map(({ id }) => nameBatch(id)));
    for (const { id, bytes } of all) expect(Buffer.from(bytes).equals(Buffer.from(makeBytes(id, bytes.length)))).toBe(true);
    const epochs = [...new Set(all.map(({ id }) => id.epochUs))];
    const again = [...told.released].filter((name) => found.has(name)).length;
    console.log(JSON.stringify({ kills, durable: told.durable.size, released: told.released.size, found: found.size, again }));
    expect([...told.durable].filter((name) => !found.has(name))).toEqual([]);
    expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
    expect(counts.quarantined).toBe(0);
    expect(told.durable.size).toBeGreaterThan(kills);
    await spool.close();
  }, 120_000);
});
