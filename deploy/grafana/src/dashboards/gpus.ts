import { dashboardUids } from "../panels/dashboard-ids.js";
import { buildDashboard } from "../panels/layout.js";
import { colorColumn, linkColumn, stat, statusHistory, table, timeseries, withoutColumns } from "../panels/panels.js";
import { colors, fillSteps, noneSteps, steps } from "../panels/thresholds.js";
import { units } from "../panels/units.js";
import { as, equals, last, max, mean, perSecond, type Select, selected, selectGrowth, sum } from "../queries/influxql.js";
import { querySeries, queryTable } from "../queries/target.js";

/*
 * The state of each card (measurement nvidia_smi), by Telegraf's names where it has them, so that the charts work on
 * what Telegraf wrote as well: only what is marked as an agent's alone does not.
 */

const where = [selected("host")];
const cards = ["host", "index"] as const;
const overTime = { every: "$__interval", fill: "null" } as const;
const ofCard = "$tag_host gpu$tag_index";

function chart(
  title: string,
  description: string,
  fields: readonly string[],
  more: Partial<Parameters<typeof timeseries>[0]> & { unit: string; alias?: string },
) {
  const { alias = ofCard, ...facts } = more;
  const query = querySeries("A", { fields, from: "nvidia_smi", where, groupBy: cards, ...overTime }, alias);
  return timeseries({ title, description, queries: [query], min: 0, ...facts });
}

/** Counts the cards whose latest value of a field is one that counts. */
function countCards(field: string): Select {
  return {
    fields: [as(sum("value"), "value")],
    from: { fields: [as(last(field), "value")], from: "nvidia_smi", where, groupBy: cards },
  };
}

function number(title: string, description: string, select: Select, limits = noneSteps) {
  const query = querySeries("A", select);
  return stat({ title, description, queries: [query], unit: units.whole, steps: limits, lastOnly: "15m" });
}

const known = number(
  "Cards",
  "Cards that told of themselves within a quarter of an hour, on the selected hosts.",
  {
    fields: [as('count("value")', "value")],
    from: { fields: [as(last("temperature_gpu"), "value")], from: "nvidia_smi", where, groupBy: cards },
  },
  steps(colors.plain),
);
const lost = number("Lost cards", "Cards that their driver can't reach any more, or lists no more.", countCards("lost"));
const remaps = number(
  "Memory beyond repair",
  "Cards whose memory has rows that could not be replaced.",
  countCards("row_remap_failure"),
);
const waiting = number(
  "Waiting for a reset",
  "Cards with rows of memory that are replaced at the next reset.",
  countCards("row_remap_pending"),
  steps(colors.good, [1, colors.missed]),
);
const deafHosts = number("Hosts with unreadable cards", "Hosts whose nvidia-smi gave no whole answer when it was asked last.", {
  fields: [as('count("value")', "value")],
  from: {
    fields: [as(last("success"), "value")],
    from: "agent",
    where: [...where, equals("probe", "nvidia_smi"), '"success" < 1'],
    groupBy: ["host"],
  },
});

function hostTable() {
  const lastOfCards: Select = {
    fields: ["temperature_gpu", "utilization_gpu", "power_draw", "power_limit", "lost"].map((field) => as(last(field), field)),
    from: "nvidia_smi",
    where,
    groupBy: cards,
  };
  const builder = table({
    title: "Hosts now",
    description:
      "The latest of each host's cards within a quarter of an hour: the hottest one, how much of all is in use, what they draw together, and how many are lost. The hottest come first; a click on a host opens its dashboard.",
    queries: [
      queryTable("A", {
        fields: [
          as('count("temperature_gpu")', "cards"),
          as(max("temperature_gpu"), "hottest"),
          as(mean("utilization_gpu"), "in use"),
          as(sum("power_draw"), "power"),
          as(sum("power_limit"), "limit"),
          as(sum("lost"), "lost"),
        ],
        from: lastOfCards,
        groupBy: ["host"],
      }),
    ],
    unit: units.whole,
    sortBy: "hottest",
    descending: true,
    transformations: [withoutColumns("^Time$")],
    lastOnly: "15m",
  });
  const heat = steps(colors.good, [80, colors.missed], [90, colors.bad]);
  colorColumn(builder, "hottest", { unit: "celsius", decimals: 0, steps: heat });
  colorColumn(builder, "in use", { unit: units.percent, decimals: 0, steps: steps(colors.plain) });
  colorColumn(builder, "lost", { unit: units.whole, decimals: 0, steps: noneSteps });
  for (const name of ["power", "limit"]) builder.overrideByName(name, [{ id: "unit", value: "watt" }]);
  return linkColumn(builder, "host", dashboardUids.host, "Open the host");
}

const heatMap = statusHistory({
  title: "In use",
  description: "Share of the time in which a card had something to do, per card.",
  queries: [
    querySeries(
      "A",
      { fields: [as(mean("utilization_gpu"), "in use")], from: "nvidia_smi", where, groupBy: cards, ...overTime },
      ofCard,
    ),
  ],
  unit: units.percent,
  decimals: 0,
  steps: steps(colors.muted, [5, colors.plain], [50, colors.good], [95, colors.missed]),
})
  .interval("10m")
  .maxDataPoints(72);

const temperature = chart(
  "Temperature",
  "Of the chip, per card. What a card bears is its own: see the row of the table.",
  [as(max("temperature_gpu"), "chip")],
  {
    unit: "celsius",
  },
);
const power = chart(
  "Power against its limit",
  "The power that a card draws, as a share of its limit (an agent's alone), per card.",
  [as('mean("power_draw") / mean("power_limit") * 100', "power")],
  { unit: units.percent, decimals: 0 },
);
const clock = chart(
  "Clock against the most",
  "The clock of the multiprocessors, as a share of the most that the card has (an agent's alone), per card.",
  [as('mean("clocks_current_sm") / mean("clocks_max_sm") * 100', "clock")],
  { unit: units.percent, decimals: 0, max: 100 },
);
const memory = chart(
  "Memory in use",
  "Share of a card's memory, per card.",
  [as('mean("memory_used") / mean("memory_total") * 100', "memory")],
  {
    unit: units.percent,
    decimals: 0,
    max: 100,
    steps: fillSteps,
  },
);

/** Reasons that are counted, and what people call them. */
const counted = {
  "power cap": "sw_power_cap",
  "hot, by the driver": "sw_thermal_slowdown",
  "hot, by the hardware": "hw_thermal_slowdown",
  "braked by the supply": "hw_power_brake_slowdown",
} as const;

const heldBack = chart(
  "Held back, by the counters",
  "Share of the time in which something kept a card below its clocks, per card and reason: power, heat, the power supply. From drivers 580 on; older ones tell the state alone, below.",
  Object.entries(counted).map(([name, reason]) => as(`${perSecond(max(`event_us_${reason}`))} / 10000`, name)),
  { unit: units.percent, decimals: 1, alias: `${ofCard} $col` },
);
const heldBackSeen = chart(
  "Held back, when looked at",
  "Share of the looks that found a card slowed down, per card: by its power cap, by the hardware (heat, supply), by the driver for heat.",
  ["sw_power_cap", "hw_slowdown", "sw_thermal_slowdown"].map((reason) =>
    as(`mean("event_reason_${reason}") * 100`, reason.replaceAll("_", " ")),
  ),
  { unit: units.percent, decimals: 0, max: 100, alias: `${ofCard} $col` },
);

function growth(title: string, description: string, counters: Readonly<Record<string, string>>) {
  const queries = Object.entries(counters).map(([name, counter], i) =>
    querySeries(
      String.fromCharCode("A".charCodeAt(0) + i),
      selectGrowth("nvidia_smi", counter, name, { where, groupBy: cards, every: "$__interval" }),
      `${ofCard} ${name}`,
    ),
  );
  return timeseries({ title, description, queries, unit: units.count, min: 0 }).interval("5m");
}

const memoryErrors = growth(
  "Memory errors",
  "New memory errors by ECC, per card. Those that can't be corrected should be none.",
  {
    "not corrected": "ecc_volatile_uncorrectable",
    corrected: "ecc_volatile_correctable",
  },
);
const replays = growth("PCIe replays", "Packets that had to be sent again over PCIe, per card.", {
  replays: "pcie_replay_counter",
});
const lanes = chart(
  "PCIe lanes and generation",
  "Per card. A lower generation at idle is normal, fewer lanes than usual are not.",
  [as(max("pcie_link_width_current"), "lanes"), as(max("pcie_link_gen_current"), "generation")],
  { unit: units.whole, alias: `${ofCard} $col` },
);
const toolTime = timeseries({
  title: "Answers of nvidia-smi",
  description:
    "How long the tool took, per host. Seconds mean that the driver is loaded anew for each question: persistence mode is off.",
  queries: [
    querySeries(
      "A",
      { fields: [as(mean("seconds"), "answer")], from: "gpu_tool_state", where, groupBy: ["host"], ...overTime },
      "$tag_host",
    ),
  ],
  unit: units.seconds,
  min: 0,
});

const suite = timeseries({
  title: "What cards do",
  description:
    "Throughput of each benchmark of the suite gpu, per card: flops, bytes or calls per second. A card that lies below its siblings is the one to look at.",
  queries: [
    querySeries(
      "A",
      {
        fields: [as(last("throughput"), "throughput")],
        from: "benchmark",
        where: [...where, equals("category", "gpu")],
        groupBy: ["host", "device", "benchmark", "params", "runtime"],
        every: "$__interval",
        fill: "none",
      },
      "$tag_host $tag_device $tag_benchmark{$tag_params} $tag_runtime",
    ),
  ],
  unit: units.count,
  decimals: 1,
  sparse: true,
  logarithmic: true,
});

export const gpuDashboard = buildDashboard({
  uid: dashboardUids.gpus,
  title: "Fleetmark: GPUs",
  description: "The state of each card, what holds it back, and what it does",
  variables: ["gpuHost"],
  from: "now-6h",
  refresh: "30s",
  shadesRuns: false,
  sections: [
    {
      title: "Now",
      shelves: [
        { height: 4, panels: [known, lost, remaps, waiting, deafHosts].map((panel, i) => [i === 0 ? 4 : 5, panel] as const) },
        { height: 9, panels: [[24, hostTable()]] },
      ],
    },
    {
      title: "At work",
      shelves: [
        { height: 9, panels: [[24, heatMap]] },
        {
          height: 8,
          panels: [
            [12, temperature],
            [12, power],
          ],
        },
        {
          height: 8,
          panels: [
            [12, clock],
            [12, memory],
          ],
        },
      ],
    },
    {
      title: "Held back",
      shelves: [
        {
          height: 9,
          panels: [
            [12, heldBack],
            [12, heldBackSeen],
          ],
        },
      ],
    },
    {
      title: "Faults",
      shelves: [
        {
          height: 8,
          panels: [
            [12, memoryErrors],
            [12, lanes],
          ],
        },
        {
          height: 8,
          panels: [
            [12, replays],
            [12, toolTime],
          ],
        },
      ],
    },
    { title: "Measured", shelves: [{ height: 10, panels: [[24, suite]] }] },
  ],
});
