import type { Point } from "@fleetmark/shared/model/series";
import { breachMs, type FleetFacts, type Host, parts } from "./fleet-parts.js";

/** What the simulated hosts with GPUs say of their cards: two each. */

const gpuParts: readonly number[] = [
  parts.gpuLost,
  parts.gpuToolFails,
  parts.gpuToolSlow,
  parts.gpuMemory,
  parts.gpuHot,
  parts.gpuNarrow,
];

function hasCards({ index, hardware }: Host): boolean {
  return hardware.gpu || gpuParts.includes(index);
}

function tagCard(card: number, host: string): Record<string, string> {
  return {
    index: String(card),
    uuid: `GPU-${host}-${card}`,
    name: "NVIDIA A100-SXM4-80GB",
    arch: "Ampere",
    pstate: "P0",
    compute_mode: "Default",
  };
}

function simulateCard(host: Host, card: number, nowMs: number, facts: FleetFacts, busy: boolean): Omit<Point, "timeUs"> {
  const { chance, index, name } = host;
  const seconds = (nowMs - facts.fromMs) / 1000;
  const ending = nowMs > facts.toMs - breachMs;
  const plays = (part: number): boolean => index === part && card === 1 && ending;
  // Half of the time each card has other work than ours.
  const working = busy || Math.floor(seconds / 1800 + index + card) % 2 === 0 || plays(parts.gpuNarrow);
  const hot = plays(parts.gpuHot) ? 1 : 0;
  const sinceErrors = nowMs - (facts.toMs - 12 * 60_000);
  const errors = index === parts.gpuMemory && card === 1 && sinceErrors > 0 ? 3 : 0;
  return {
    measurement: "nvidia_smi",
    tags: tagCard(card, name),
    fields: {
      temperature_gpu: (working ? 62 : 34) + chance() * 3 + 28 * hot,
      temperature_memory: (working ? 70 : 36) + chance() * 3,
      utilization_gpu: working ? 80 + Math.floor(chance() * 20) : 0,
      memory_total: 81_920,
      memory_used: working ? 40_000 + Math.floor(chance() * 9000) : 1,
      power_draw: working ? 330 + chance() * 60 : 62,
      power_limit: 400,
      clocks_current_sm: hot ? 900 : working ? 1410 : 210,
      clocks_max_sm: 1410,
      event_reason_sw_power_cap: working && chance() < 0.2 ? 1 : 0,
      event_reason_hw_slowdown: hot,
      event_reason_sw_thermal_slowdown: 0,
      event_us_sw_power_cap: seconds * 1e5,
      event_us_sw_thermal_slowdown: 0,
      event_us_hw_thermal_slowdown: hot * (nowMs - (facts.toMs - breachMs)) * 900,
      event_us_hw_power_brake_slowdown: 0,
      ecc_volatile_correctable: Math.floor(seconds / 40_000),
      ecc_volatile_uncorrectable: errors,
      row_remap_pending: plays(parts.gpuMemory) ? 1 : 0,
      row_remap_failure: plays(parts.gpuMemory) ? 1 : 0,
      pcie_link_width_current: plays(parts.gpuNarrow) ? 8 : 16,
      pcie_link_width_max: 16,
      pcie_link_gen_current: working ? 4 : 1,
      pcie_replay_counter: 0,
      lost: 0,
      unreadable: 0,
    },
  };
}

/** What the probe tells at one moment. */
export function simulateCards(host: Host, nowMs: number, facts: FleetFacts, busy: boolean): Omit<Point, "timeUs">[] {
  if (!hasCards(host)) return [];
  const ending = nowMs > facts.toMs - breachMs;
  const fails = host.index === parts.gpuToolFails && ending;
  const seconds = host.index === parts.gpuToolSlow && ending ? 6 + host.chance() : 0.1 + host.chance() * 0.05;
  const probe: Omit<Point, "timeUs"> = {
    measurement: "agent",
    tags: { probe: "nvidia_smi" },
    fields: { duration_s: seconds, success: fails ? 0 : 1 },
  };
  const tool = { measurement: "gpu_tool_state", tags: { tool: "nvidia-smi" } };
  if (fails) return [probe, { ...tool, fields: { state: "failed", reason: "Driver/library version mismatch", seconds: 0.02 } }];
  const isLost = host.index === parts.gpuLost && ending;
  const first = simulateCard(host, 0, nowMs, facts, busy);
  const second = isLost
    ? { measurement: "nvidia_smi", tags: tagCard(1, host.name), fields: { lost: 1, lost_reason: "GPU is lost" } }
    : simulateCard(host, 1, nowMs, facts, busy);
  const state = seconds > 2 ? "slow" : "ok";
  return [
    probe,
    { ...tool, fields: { state, seconds, cards: isLost ? 1 : 2, cards_attached: 2, cards_lost: isLost ? 1 : 0 } },
    first,
    second,
  ];
}
