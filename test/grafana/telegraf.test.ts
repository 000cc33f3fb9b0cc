import { pino } from "pino";
import { expect, test } from "vitest";
import { probes } from "#agent/probes/registry.js";
import { hostDashboard } from "#grafana/dashboards/host.js";
import { listPanels } from "./panel-queries.js";

/**
 * Field names by measurement, from the metrics sections of
 * plugins/inputs/{cpu,mem,disk,diskio,net,system,nvidia_smi}/README.md of Telegraf (github.com/influxdata/telegraf), as
 * a host with Linux has them; net without the protocol counters of the series `interface=all`.
 */
const telegrafFields: Readonly<Record<string, readonly string[]>> = {
  cpu: ["user", "system", "idle", "active", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"].flatMap(
    (kind) => [`usage_${kind}`, `time_${kind}`],
  ),
  mem: "active available available_percent buffered cached commit_limit committed_as dirty free high_free high_total huge_pages_free huge_page_size huge_pages_total inactive low_free low_total mapped page_tables shared slab sreclaimable sunreclaim swap_cached swap_free swap_total total used used_percent vmalloc_chunk vmalloc_total vmalloc_used write_back write_back_tmp".split(
    " ",
  ),
  disk: ["free", "total", "used", "used_percent", "inodes_free", "inodes_total", "inodes_used", "inodes_used_percent"],
  diskio:
    "reads writes read_bytes write_bytes read_time write_time io_time weighted_io_time iops_in_progress merged_reads merged_writes io_await io_svctm io_util".split(
      " ",
    ),
  net: ["bytes_sent", "bytes_recv", "packets_sent", "packets_recv", "err_in", "err_out", "drop_in", "drop_out", "speed"],
  system: ["load1", "load5", "load15", "n_users", "n_unique_users", "n_cpus", "n_physical_cpus", "uptime"],
  nvidia_smi:
    "fan_speed fbc_stats_session_count fbc_stats_average_fps fbc_stats_average_latency memory_free memory_used memory_total power_draw temperature_gpu utilization_gpu utilization_memory utilization_encoder utilization_decoder pcie_link_gen_current pcie_link_width_current encoder_stats_session_count encoder_stats_average_fps encoder_stats_average_latency clocks_current_graphics clocks_current_sm clocks_current_memory clocks_current_video driver_version cuda_version".split(
      " ",
    ),
};

/** The tags by which Telegraf tells series of a measurement from each other. */
const telegrafTags: Readonly<Record<string, readonly string[]>> = {
  cpu: ["cpu"],
  mem: [],
  disk: ["device", "fstype", "mode", "path"],
  diskio: ["name"],
  net: ["interface"],
  system: [],
  nvidia_smi: ["compute_mode", "index", "name", "pstate", "uuid"],
};

test("what probes write has Telegraf's names where Telegraf has the measurement, so that its dashboards work", async () => {
  const roots = { proc: "/proc", sys: "/sys" };
  const seen = new Set<string>();
  for (const probe of probes) {
    const { sample, close } = probe.open({ roots, logger: pino({ level: "silent" }) });
    // Some tell of the time between two samples.
    const points = [];
    for (const nowUs of [1e6, 2e6]) {
      try {
        points.push(...(await sample(nowUs)));
      } catch {
        // This host does not offer it.
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    close();
    for (const { measurement, tags, fields } of points) {
      const known = telegrafFields[measurement];
      if (known === undefined) continue;
      seen.add(measurement);
      for (const field of Object.keys(fields)) expect(known, `${measurement} ${field}`).toContain(field);
      expect(Object.keys(tags).sort(), measurement).toEqual(telegrafTags[measurement]);
    }
  }
  expect([...seen]).toEqual(expect.arrayContaining(["cpu", "mem", "system"]));
});

test("the host dashboard reads fields of those names", () => {
  let read = 0;
  for (const { title, targets } of listPanels(hostDashboard)) {
    for (const { query } of targets as unknown as { query: string }[]) {
      const measurement = /FROM "(\w+)"/.exec(query)?.[1] ?? "";
      for (const [, field] of query.matchAll(/(?:mean|max|last)\("(\w+)"\)/g)) {
        if (telegrafFields[measurement] === undefined || field === "value") continue;
        read++;
        expect(telegrafFields[measurement], `${title}: ${measurement} ${field}`).toContain(field);
      }
    }
  }
  expect(read).toBeGreaterThan(20);
});
