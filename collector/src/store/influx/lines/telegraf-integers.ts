/**
 * The fields that Telegraf writes as integers, of the measurements that both write: by the metrics sections of
 * plugins/inputs/{mem,disk,diskio,net,system,nvidia_smi}/README.md (github.com/influxdata/telegraf). In one bucket a
 * field has one type, and whoever writes it with another is refused.
 */

type IsInteger = (field: string) => boolean;

const allBut =
  (...floats: readonly string[]): IsInteger =>
  (field) =>
    !floats.includes(field);

const only = (fields: string): IsInteger => {
  const integers = new Set(fields.split(" "));
  return (field) => integers.has(field);
};

/** By measurement. All fields of `cpu` are floats. */
const integers: ReadonlyMap<string, IsInteger> = new Map([
  ["mem", allBut("available_percent", "used_percent")],
  ["disk", allBut("used_percent", "inodes_used_percent")],
  ["diskio", allBut("io_await", "io_svctm", "io_util")],
  ["net", () => true],
  ["system", only("n_cpus n_physical_cpus n_unique_users n_users uptime")],
  [
    "nvidia_smi",
    only(
      "clocks_current_graphics clocks_current_memory clocks_current_sm clocks_current_video encoder_stats_average_fps encoder_stats_average_latency encoder_stats_session_count fan_speed fbc_stats_average_fps fbc_stats_average_latency fbc_stats_session_count memory_free memory_reserved memory_total memory_used pcie_link_gen_current pcie_link_width_current remapped_rows_correctable remapped_rows_uncorrectable retired_pages_double_bit retired_pages_multiple_single_bit temperature_gpu utilization_decoder utilization_encoder utilization_gpu utilization_jpeg utilization_memory utilization_ofa",
    ),
  ],
]);

/** The measurements that Telegraf writes too, and in which it has integers. */
export const sharedMeasurements: readonly string[] = [...integers.keys()];

export function isTelegrafInteger(measurement: string, field: string): boolean {
  return integers.get(measurement)?.(field) ?? false;
}
