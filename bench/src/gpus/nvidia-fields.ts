import type { Unit } from "./reading.js";

/*
 * What is read of a card, and where it stands in what `nvidia-smi -q -x` prints. Places are tried in their order: the
 * version of the document's type tells nothing, for power moved three times within version 12, and drivers from 535 on
 * say event where those before said throttle.
 */

export interface FieldPlace {
  readonly field: string;
  readonly as: Unit | "words" | "truth";
  /** The first that is there and tells something counts. */
  readonly paths: readonly string[];
  /** Whether the paths are parts that are added up. */
  readonly isSum?: boolean;
}

const place = (field: string, as: FieldPlace["as"], ...paths: string[]): FieldPlace => ({ field, as, paths });
const sum = (field: string, ...paths: string[]): FieldPlace => ({ field, as: "count", paths, isSum: true });

/**
 * Telegraf's fields of `nvidia_smi`, by its names and in its units: MiB, %, °C, MHz, W (its plugin nvidia_smi,
 * version 1.39).
 */
const telegrafFields: readonly FieldPlace[] = [
  place("serial", "words", "serial"),
  place("vbios_version", "words", "vbios_version"),
  place("display_active", "words", "display_active"),
  place("display_mode", "words", "display_mode"),
  place("current_ecc", "words", "ecc_mode/current_ecc"),
  place("fan_speed", "%", "fan_speed"),
  place("memory_total", "MiB", "fb_memory_usage/total"),
  place("memory_used", "MiB", "fb_memory_usage/used"),
  place("memory_free", "MiB", "fb_memory_usage/free"),
  place("memory_reserved", "MiB", "fb_memory_usage/reserved"),
  place("retired_pages_multiple_single_bit", "count", "retired_pages/multiple_single_bit_retirement/retired_count"),
  place("retired_pages_double_bit", "count", "retired_pages/double_bit_retirement/retired_count"),
  place("retired_pages_blacklist", "words", "retired_pages/pending_blacklist"),
  place("retired_pages_pending", "words", "retired_pages/pending_retirement"),
  place("remapped_rows_correctable", "count", "remapped_rows/remapped_row_corr"),
  place("remapped_rows_uncorrectable", "count", "remapped_rows/remapped_row_unc"),
  place("remapped_rows_pending", "words", "remapped_rows/remapped_row_pending"),
  place("remapped_rows_failure", "words", "remapped_rows/remapped_row_failure"),
  place("temperature_gpu", "C", "temperature/gpu_temp"),
  place("utilization_gpu", "%", "utilization/gpu_util"),
  place("utilization_memory", "%", "utilization/memory_util"),
  place("utilization_encoder", "%", "utilization/encoder_util"),
  place("utilization_decoder", "%", "utilization/decoder_util"),
  place("utilization_jpeg", "%", "utilization/jpeg_util"),
  place("utilization_ofa", "%", "utilization/ofa_util"),
  place("pcie_link_gen_current", "count", "pci/pci_gpu_link_info/pcie_gen/current_link_gen"),
  place("pcie_link_width_current", "x", "pci/pci_gpu_link_info/link_widths/current_link_width"),
  place("encoder_stats_session_count", "count", "encoder_stats/session_count"),
  place("encoder_stats_average_fps", "count", "encoder_stats/average_fps"),
  place("encoder_stats_average_latency", "count", "encoder_stats/average_latency"),
  place("fbc_stats_session_count", "count", "fbc_stats/session_count"),
  place("fbc_stats_average_fps", "count", "fbc_stats/average_fps"),
  place("fbc_stats_average_latency", "count", "fbc_stats/average_latency"),
  place("clocks_current_graphics", "MHz", "clocks/graphics_clock"),
  place("clocks_current_sm", "MHz", "clocks/sm_clock"),
  place("clocks_current_memory", "MHz", "clocks/mem_clock"),
  place("clocks_current_video", "MHz", "clocks/video_clock"),
  place(
    "power_draw",
    "W",
    "gpu_power_readings/power_draw",
    "gpu_power_readings/average_power_draw",
    "gpu_power_readings/instant_power_draw",
    "power_readings/power_draw",
  ),
  place(
    "module_power_draw",
    "W",
    "module_power_readings/power_draw",
    "module_power_readings/average_power_draw",
    "module_power_readings/instant_power_draw",
  ),
];

/** Reasons for which a card runs below its clocks, by the words of `nvidia-smi --query-gpu`. */
export const eventReasons = [
  "gpu_idle",
  "applications_clocks_setting",
  "sw_power_cap",
  "hw_slowdown",
  "hw_thermal_slowdown",
  "hw_power_brake_slowdown",
  "sync_boost",
  "sw_thermal_slowdown",
  "display_clocks_setting",
] as const;

export type EventReason = (typeof eventReasons)[number];

/** Those of them that mean that something holds the card back. */
export const slowingReasons = [
  "sw_power_cap",
  "hw_slowdown",
  "hw_thermal_slowdown",
  "hw_power_brake_slowdown",
  "sw_thermal_slowdown",
] as const satisfies readonly EventReason[];

/** Counters of µs that a reason was active for, by the reason: what happens between two samples is in them too. */
const counterNames = {
  sw_power_cap: "sw_power_cap",
  sync_boost: "sync_boost",
  sw_thermal_slowdown: "sw_therm_slowdown",
  hw_thermal_slowdown: "hw_therm_slowdown",
  hw_power_brake_slowdown: "hw_power_brake",
} as const satisfies Partial<Record<EventReason, string>>;

const reasonFields = eventReasons.map((reason) =>
  place(
    `event_reason_${reason}`,
    "truth",
    `clocks_event_reasons/clocks_event_reason_${reason}`,
    `clocks_throttle_reasons/clocks_throttle_reason_${reason}`,
  ),
);
const counterFields = Object.entries(counterNames).map(([reason, name]) =>
  place(`event_us_${reason}`, "us", `clocks_event_reasons_counters/clocks_event_reasons_counters_${name}`),
);

/** ECC errors; drivers before 450 tell bits and not where they were. */
const eccFields = (["volatile", "aggregate"] as const).flatMap((since) => [
  place(`ecc_${since}_correctable`, "count", `ecc_errors/${since}/single_bit/total`),
  place(`ecc_${since}_uncorrectable`, "count", `ecc_errors/${since}/double_bit/total`),
  sum(`ecc_${since}_correctable`, `ecc_errors/${since}/sram_correctable`, `ecc_errors/${since}/dram_correctable`),
  sum(
    `ecc_${since}_uncorrectable`,
    `ecc_errors/${since}/sram_uncorrectable`,
    `ecc_errors/${since}/sram_uncorrectable_parity`,
    `ecc_errors/${since}/sram_uncorrectable_secded`,
    `ecc_errors/${since}/dram_uncorrectable`,
  ),
]);

/** What explains slowness beyond Telegraf's fields; truths are 1 and 0. */
const ownFields: readonly FieldPlace[] = [
  ...reasonFields,
  ...counterFields,
  ...eccFields,
  place("ecc_sram_threshold_exceeded", "truth", "ecc_errors/aggregate/sram_threshold_exceeded"),
  place("ecc_channel_repair_pending", "truth", "ecc_errors/channel_repair_pending"),
  place("ecc_tpc_repair_pending", "truth", "ecc_errors/tpc_repair_pending"),
  place("ecc_unrepairable_memory", "truth", "ecc_errors/unrepairable_memory"),
  place("row_remap_pending", "truth", "remapped_rows/remapped_row_pending"),
  place("row_remap_failure", "truth", "remapped_rows/remapped_row_failure"),
  place("page_retirement_pending", "truth", "retired_pages/pending_retirement", "retired_pages/pending_blacklist"),
  place("power_draw_instant", "W", "gpu_power_readings/instant_power_draw"),
  place("power_draw_average", "W", "gpu_power_readings/average_power_draw"),
  place(
    "power_limit",
    "W",
    "gpu_power_readings/current_power_limit",
    "power_readings/enforced_power_limit",
    "power_readings/power_limit",
  ),
  place("power_default_limit", "W", "gpu_power_readings/default_power_limit", "power_readings/default_power_limit"),
  place("power_max_limit", "W", "gpu_power_readings/max_power_limit", "power_readings/max_power_limit"),
  place("module_power_limit", "W", "module_power_readings/current_power_limit"),
  place("memory_power_draw", "W", "gpu_memory_power_readings/average_power_draw", "gpu_memory_power_readings/instant_power_draw"),
  place("clocks_max_graphics", "MHz", "max_clocks/graphics_clock"),
  place("clocks_max_sm", "MHz", "max_clocks/sm_clock"),
  place("clocks_max_memory", "MHz", "max_clocks/mem_clock"),
  place("clocks_max_customer_boost", "MHz", "max_customer_boost_clocks/graphics_clock"),
  place("temperature_memory", "C", "temperature/memory_temp"),
  place("temperature_slowdown", "C", "temperature/gpu_temp_slow_threshold"),
  place("temperature_shutdown", "C", "temperature/gpu_temp_max_threshold"),
  place("temperature_max_operating", "C", "temperature/gpu_temp_max_gpu_threshold"),
  place("temperature_max_operating_memory", "C", "temperature/gpu_temp_max_mem_threshold"),
  // °C that are left, not °C that are there: it is 0 or less at the limit, and so are the limits told in it.
  place("temperature_margin", "C", "temperature/gpu_temp_tlimit"),
  place("temperature_margin_slowdown", "C", "temperature/gpu_temp_slow_tlimit_threshold"),
  place("temperature_margin_shutdown", "C", "temperature/gpu_temp_max_tlimit_threshold"),
  place("temperature_margin_max_operating", "C", "temperature/gpu_temp_max_gpu_tlimit_threshold"),
  place("pcie_link_gen_max", "count", "pci/pci_gpu_link_info/pcie_gen/max_link_gen"),
  place("pcie_link_gen_max_device", "count", "pci/pci_gpu_link_info/pcie_gen/max_device_link_gen"),
  place("pcie_link_width_max", "x", "pci/pci_gpu_link_info/link_widths/max_link_width"),
  place("pcie_replay_counter", "count", "pci/replay_counter"),
  place("pcie_replay_rollover_counter", "count", "pci/replay_rollover_counter"),
  place("pcie_tx_kb_s", "KB/s", "pci/tx_util"),
  place("pcie_rx_kb_s", "KB/s", "pci/rx_util"),
  place("memory_bar1_total", "MiB", "bar1_memory_usage/total"),
  place("memory_bar1_used", "MiB", "bar1_memory_usage/used"),
  place("voltage_graphics", "mV", "voltage/graphics_volt"),
  place("persistence_mode", "truth", "persistence_mode"),
  place("mig_mode", "truth", "mig_mode/current_mig"),
  place("mig_mode_pending", "truth", "mig_mode/pending_mig"),
  place("recovery_action", "words", "gpu_recovery_action"),
  place("fabric_state", "words", "fabric/state"),
  place("fabric_status", "words", "fabric/status"),
  place("fabric_health", "words", "fabric/health/summary"),
  place("fabric_bandwidth", "words", "fabric/health/bandwidth"),
  place("fabric_route_unhealthy", "truth", "fabric/health/route_unhealthy"),
  place("virtualization_mode", "words", "gpu_virtualization_mode/virtualization_mode"),
  place("gsp_firmware_version", "words", "gsp_firmware_version"),
];

export const cardFields: readonly FieldPlace[] = [...telegrafFields, ...ownFields];

/** Of a MIG slice, by Telegraf's names of `nvidia_smi_mig`. */
export const migFields: readonly FieldPlace[] = [
  place("sram_uncorrectable", "count", "ecc_error_count/volatile_count/sram_uncorrectable"),
  place("memory_fb_total", "MiB", "fb_memory_usage/total"),
  place("memory_fb_reserved", "MiB", "fb_memory_usage/reserved"),
  place("memory_fb_used", "MiB", "fb_memory_usage/used"),
  place("memory_fb_free", "MiB", "fb_memory_usage/free"),
  place("memory_bar1_total", "MiB", "bar1_memory_usage/total"),
  place("memory_bar1_used", "MiB", "bar1_memory_usage/used"),
  place("memory_bar1_free", "MiB", "bar1_memory_usage/free"),
  place("multiprocessor_count", "count", "device_attributes/shared/multiprocessor_count"),
];

/** Elements that are never read, and make up most of the document. */
export const unreadElements: ReadonlySet<string> = new Set(["supported_clocks", "accounted_processes"]);
