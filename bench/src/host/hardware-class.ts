import { createHash } from "node:crypto";
import type { HostFacts } from "./facts.js";

const memoryClasses = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096];

/**
 * Returns the installed size in GiB that memory of this many bytes was sold as: firmware and kernel keep some of it.
 */
function classifyMemory(bytes: number): number {
  const gib = bytes / 2 ** 30;
  return memoryClasses.find((size) => size >= gib * 0.99) ?? Math.round(gib);
}

function makeSlug(text: string): string {
  return text
    .toLowerCase()
    .replace(/\((r|tm|c)\)|\bcpu\b|\bprocessor\b|@.*$/g, " ")
    .replace(/[^a-z0-9.]+/g, "-")
    .replace(/^-+|-+$/g, "");
}

const longest = 100;

/** Shortens a name so that two long ones that differ at their ends still do. */
function bound(name: string): string {
  if (name.length <= longest) return name;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.slice(0, longest - digest.length - 1)}-${digest}`;
}

/** Names the hardware class: CPU model, cores, memory size class and GPU models; at most 100 characters. */
export function nameHardwareClass(facts: Pick<HostFacts, "cpuModel" | "cores" | "memoryBytes" | "gpus">): string {
  const counts = new Map<string, number>();
  for (const gpu of facts.gpus) counts.set(makeSlug(gpu), (counts.get(makeSlug(gpu)) ?? 0) + 1);
  const gpus = [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([name, count]) => `${count}x${name}`);
  const parts = [
    makeSlug(facts.cpuModel).slice(0, 40) || "unknown",
    `${facts.cores}c`,
    `${classifyMemory(facts.memoryBytes)}g`,
    ...gpus,
  ];
  return bound(parts.join("_"));
}
