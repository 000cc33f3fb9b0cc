/*
 * What the probe tells beside what `nvidia-smi --query-gpu` prints of the same cards: another format of the same tool,
 * read by other code. What moves is asked before and after, and has to lie between the two, or near.
 */

/** The names of `--query-gpu` by our field. */
export const queryNames: Readonly<Record<string, string>> = {
  serial: "serial",
  vbios_version: "vbios_version",
  display_active: "display_active",
  display_mode: "display_mode",
  current_ecc: "ecc.mode.current",
  fan_speed: "fan.speed",
  memory_total: "memory.total",
  memory_used: "memory.used",
  memory_free: "memory.free",
  memory_reserved: "memory.reserved",
  retired_pages_multiple_single_bit: "retired_pages.single_bit_ecc.count",
  retired_pages_double_bit: "retired_pages.double_bit.count",
  retired_pages_pending: "retired_pages.pending",
  remapped_rows_correctable: "remapped_rows.correctable",
  remapped_rows_uncorrectable: "remapped_rows.uncorrectable",
  remapped_rows_pending: "remapped_rows.pending",
  remapped_rows_failure: "remapped_rows.failure",
  temperature_gpu: "temperature.gpu",
  temperature_memory: "temperature.memory",
  temperature_margin: "temperature.gpu.tlimit",
  utilization_gpu: "utilization.gpu",
  utilization_memory: "utilization.memory",
  utilization_encoder: "utilization.encoder",
  utilization_decoder: "utilization.decoder",
  utilization_jpeg: "utilization.jpeg",
  utilization_ofa: "utilization.ofa",
  pcie_link_gen_current: "pcie.link.gen.current",
  pcie_link_gen_max: "pcie.link.gen.max",
  pcie_link_gen_max_device: "pcie.link.gen.gpumax",
  pcie_link_width_current: "pcie.link.width.current",
  pcie_link_width_max: "pcie.link.width.max",
  encoder_stats_session_count: "encoder.stats.sessionCount",
  encoder_stats_average_fps: "encoder.stats.averageFps",
  encoder_stats_average_latency: "encoder.stats.averageLatency",
  clocks_current_graphics: "clocks.current.graphics",
  clocks_current_sm: "clocks.current.sm",
  clocks_current_memory: "clocks.current.memory",
  clocks_current_video: "clocks.current.video",
  clocks_max_graphics: "clocks.max.graphics",
  clocks_max_sm: "clocks.max.sm",
  clocks_max_memory: "clocks.max.memory",
  power_draw: "power.draw",
  power_draw_average: "power.draw.average",
  power_draw_instant: "power.draw.instant",
  power_limit: "enforced.power.limit",
  power_default_limit: "power.default_limit",
  power_max_limit: "power.max_limit",
  module_power_draw: "module.power.draw.average",
  module_power_limit: "module.power.limit",
  ecc_volatile_correctable: "ecc.errors.corrected.volatile.total",
  ecc_volatile_uncorrectable: "ecc.errors.uncorrected.volatile.total",
  ecc_aggregate_correctable: "ecc.errors.corrected.aggregate.total",
  ecc_aggregate_uncorrectable: "ecc.errors.uncorrected.aggregate.total",
  event_reason_gpu_idle: "clocks_event_reasons.gpu_idle",
  event_reason_applications_clocks_setting: "clocks_event_reasons.applications_clocks_setting",
  event_reason_sw_power_cap: "clocks_event_reasons.sw_power_cap",
  event_reason_hw_slowdown: "clocks_event_reasons.hw_slowdown",
  event_reason_hw_thermal_slowdown: "clocks_event_reasons.hw_thermal_slowdown",
  event_reason_hw_power_brake_slowdown: "clocks_event_reasons.hw_power_brake_slowdown",
  event_reason_sync_boost: "clocks_event_reasons.sync_boost",
  event_reason_sw_thermal_slowdown: "clocks_event_reasons.sw_thermal_slowdown",
  event_us_sw_power_cap: "clocks_event_reasons_counters.sw_power_cap",
  event_us_sync_boost: "clocks_event_reasons_counters.sync_boost",
  event_us_sw_thermal_slowdown: "clocks_event_reasons_counters.sw_thermal_slowdown",
  event_us_hw_thermal_slowdown: "clocks_event_reasons_counters.hw_thermal_slowdown",
  event_us_hw_power_brake_slowdown: "clocks_event_reasons_counters.hw_power_brake_slowdown",
  persistence_mode: "persistence_mode",
  mig_mode: "mig.mode.current",
  mig_mode_pending: "mig.mode.pending",
  recovery_action: "gpu_recovery_action",
  fabric_state: "fabric.state",
  fabric_status: "fabric.status",
  fabric_health: "fabric.health.summary",
  fabric_bandwidth: "fabric.health.bandwidth",
};

/** How far two readings of what moves may lie apart, as a share of the larger; the rest moves not at all. */
const moving: readonly [RegExp, number][] = [
  [/^power_draw|^module_power_draw/, 0.2],
  [/^temperature_/, 0.1],
  [/^clocks_current_/, 0.5],
  [/^utilization_/, 1],
  [/^memory_(used|free)/, 0.02],
  [/^event_us_|^event_reason_/, 1],
];

export interface FieldComparison {
  readonly field: string;
  readonly probe: number | string | null;
  readonly before: string | null;
  readonly after: string | null;
  readonly agrees: boolean;
}

const truths: Readonly<Record<string, number>> = { Active: 1, Enabled: 1, Yes: 1, "Not Active": 0, Disabled: 0, No: 0 };
const nothing = /^\[?(N\/A|Not Supported|Requested functionality has been deprecated|Unknown Error)?\]?$/i;

function agree(field: string, probe: number | string | undefined, cells: readonly string[]): boolean {
  if (probe === undefined) return cells.some((cell) => nothing.test(cell));
  if (typeof probe === "string") return cells.includes(probe);
  const numbers = cells.flatMap((cell) => {
    if (Object.hasOwn(truths, cell)) return [truths[cell]];
    const number = Number.parseFloat(cell);
    return Number.isNaN(number) ? [] : [number];
  });
  const play = moving.find(([pattern]) => pattern.test(field))?.[1] ?? 0;
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const margin = play * Math.max(Math.abs(low), Math.abs(high), 1);
  return numbers.length > 0 && probe >= low - margin - 1e-9 && probe <= high + margin + 1e-9;
}

/** Reads a line of the tool's table: no value of it holds a comma. */
export function readRow(line: string): string[] {
  return line.split(",").map((cell) => cell.trim());
}

/**
 * Compares a card's fields with the lines that the tool printed of it, before and after.
 * @param fields as the probe told them
 * @param asked our fields, in the order of the columns
 */
export function compareFields(
  fields: Readonly<Record<string, number | string>>,
  asked: readonly string[],
  before: string,
  after: string,
): FieldComparison[] {
  const [first, second] = [readRow(before), readRow(after)];
  return asked.map((field, i) => ({
    field,
    probe: fields[field] ?? null,
    before: first[i] ?? null,
    after: second[i] ?? null,
    agrees: agree(field, fields[field], [first[i] ?? "", second[i] ?? ""]),
  }));
}
