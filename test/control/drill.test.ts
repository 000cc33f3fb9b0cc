import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { describeWith } from "../testbed/needs.js";
import { type DrillReport, runDrill } from "./drill.js";

async function drill(link: "grpc" | "nats"): Promise<DrillReport> {
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-drill-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return runDrill({ link, hosts: 40, collectorKills: 2, hostKills: 1, folder });
}

function expectAllEnded({ counts, begun_twice, strangers, most_at_once, at_most }: DrillReport): void {
  expect([begun_twice, strangers]).toEqual([0, 0]);
  expect(most_at_once).toBeLessThanOrEqual(at_most);
  expect(counts.refused).toBe(4);
  expect((counts.finished ?? 0) + (counts.interrupted ?? 0)).toBe(36);
}

it("a campaign over gRPC begins each run once, while the collector and the hosts are killed", async () => {
  expectAllEnded(await drill("grpc"));
}, 180_000);

describeWith("nats-server")("a campaign over NATS", () => {
  it("begins each run once, while the collector and the hosts are killed", async () => {
    expectAllEnded(await drill("nats"));
  }, 180_000);
});
