import { cpus, release } from "node:os";
import { expect, test } from "vitest";
// The child is a program, so what runs it is the built code too.
import { readInventory } from "#agent/inventory/inventory.js";

test("tells what this host is made of", async () => {
  const inventory = await readInventory(30, new AbortController().signal);
  expect(inventory).toMatchObject({ cpu: { threads: cpus().length }, os: { kernel: release() } });
  expect(Number(inventory.memory_bytes)).toBeGreaterThan(1e6);
});

test("gives up after its time, and when it is told to", async () => {
  const failure = { code: "PROBE_FAILED" };
  await expect(readInventory(0.001, new AbortController().signal)).rejects.toMatchObject(failure);
  await expect(readInventory(30, AbortSignal.abort())).rejects.toMatchObject(failure);
});
