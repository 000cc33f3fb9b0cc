import { PanelBuilder as BarGaugeBuilder } from "@grafana/grafana-foundation-sdk/bargauge";
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ReduceDataOptionsBuilder,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type DataTransformerConfig,
  FieldColorBuilder,
  FieldColorModeId,
  PanelBuilder,
  type Threshold,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as HistogramBuilder } from "@grafana/grafana-foundation-sdk/histogram";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StateTimelineBuilder } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as StatusHistoryBuilder } from "@grafana/grafana-foundation-sdk/statushistory";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { datasource } from "../queries/datasource.js";
import { asBuilder, type InfluxQuery } from "../queries/target.js";
import { team } from "./dashboard-ids.js";
import { colors, staleLateness, steps, thresholds } from "./thresholds.js";
import { units } from "./units.js";

/** What every panel says of itself. */
export interface PanelFacts {
  readonly title: string;
  /** What is shown, and how to read it; Grafana shows it at the title. */
  readonly description: string;
  readonly queries: readonly InfluxQuery[];
  readonly unit: string;
  readonly decimals?: number;
  readonly steps?: Threshold[];
  /**
   * A range of its own that ends now, such as `2m`, in place of the dashboard's. The description says which; Grafana's
   * own badge for it would leave a small panel no room for its title.
   */
  readonly lastOnly?: string;
}

/** What all builders of panels that draw values have in common. */
interface ValuePanelBuilder {
  title(title: string): this;
  description(description: string): this;
  datasource(reference: typeof datasource): this;
  targets(targets: ReturnType<typeof asBuilder>[]): this;
  unit(unit: string): this;
  decimals(decimals: number): this;
  thresholds(config: ReturnType<typeof thresholds>): this;
  timeFrom(range: string): this;
  hideTimeOverride(hides: boolean): this;
}

function describe<B extends ValuePanelBuilder>(builder: B, facts: PanelFacts): B {
  builder
    .title(facts.title)
    .description(facts.description)
    .datasource(datasource)
    .targets(facts.queries.map(asBuilder))
    .unit(facts.unit);
  if (facts.decimals !== undefined) builder.decimals(facts.decimals);
  if (facts.steps !== undefined) builder.thresholds(thresholds(facts.steps));
  if (facts.lastOnly !== undefined) builder.timeFrom(facts.lastOnly).hideTimeOverride(true);
  return builder;
}

function lastOfEach(): ReduceDataOptionsBuilder {
  return new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false);
}

function byThresholds(): FieldColorBuilder {
  return new FieldColorBuilder().mode(FieldColorModeId.Thresholds);
}

export interface TimeseriesFacts extends PanelFacts {
  /** Values at long and irregular distances, each drawn as a point and joined with the next. */
  readonly sparse?: boolean;
  readonly logarithmic?: boolean;
  readonly stacked?: boolean;
  readonly min?: number;
  readonly max?: number;
}

/** Points of a chart: more than a panel of half the screen has pixels to tell apart would only cost InfluxDB time. */
const chartPoints = 500;

/** The least width of buckets in charts of losses: events that belong together show as one. */
export const lossInterval = "5m";

/**
 * Longest gap in telemetry that a line is drawn across, in milliseconds: a few late samples are none, a silent host is
 * one.
 */
const bridgedGap = 120_000;

export function timeseries(facts: TimeseriesFacts): TimeseriesBuilder {
  const builder = describe(new TimeseriesBuilder(), facts)
    .drawStyle(GraphDrawStyle.Line)
    .lineInterpolation(LineInterpolation.Linear)
    .lineWidth(1)
    .fillOpacity(facts.stacked ? 35 : 0)
    .showPoints(facts.sparse ? VisibilityMode.Always : VisibilityMode.Never)
    .pointSize(4)
    .maxDataPoints(chartPoints)
    .spanNulls(facts.sparse ? true : bridgedGap)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Right)
        .calcs(["lastNotNull", "max"])
        .sortBy("Last *")
        .sortDesc(true),
    );
  if (facts.logarithmic) builder.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10));
  if (facts.stacked) builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group("A"));
  if (facts.min !== undefined) builder.min(facts.min);
  if (facts.max !== undefined) builder.max(facts.max);
  return builder;
}

/** Draws a line of its own colour, dashed: a target or a limit, no measurement. */
export function drawAsLimit(builder: TimeseriesBuilder, name: string, color: string): TimeseriesBuilder {
  return builder.overrideByName(name, [
    { id: "color", value: { mode: "fixed", fixedColor: color } },
    { id: "custom.lineStyle", value: { fill: "dash", dash: [8, 6] } },
    { id: "custom.lineWidth", value: 2 },
    { id: "custom.showPoints", value: "never" },
  ]);
}

export function stat(facts: PanelFacts, graph = false): StatBuilder {
  return describe(new StatBuilder(), facts)
    .reduceOptions(lastOfEach())
    .colorMode(BigValueColorMode.Value)
    .graphMode(graph ? BigValueGraphMode.Area : BigValueGraphMode.None)
    .colorScheme(byThresholds())
    .noValue("none");
}

export function barGauge(facts: PanelFacts): BarGaugeBuilder {
  return describe(new BarGaugeBuilder(), facts)
    .reduceOptions(lastOfEach())
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .colorScheme(byThresholds());
}

export function histogram(facts: PanelFacts, buckets: number): HistogramBuilder {
  return (
    describe(new HistogramBuilder(), facts)
      .bucketCount(buckets)
      .combine(true)
      .fillOpacity(70)
      // Not by thresholds: those would judge the number of hosts in a bar, not their values.
      .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(colors.plain))
      .legend(new VizLegendOptionsBuilder().showLegend(false))
  );
}

export interface TableFacts extends PanelFacts {
  readonly sortBy: string;
  readonly descending: boolean;
  readonly transformations?: readonly DataTransformerConfig[];
}

export function table(facts: TableFacts): TableBuilder {
  const builder = describe(new TableBuilder(), facts).sortBy([
    new TableSortByFieldStateBuilder().displayName(facts.sortBy).desc(facts.descending),
  ]);
  for (const transformation of facts.transformations ?? []) builder.withTransformation(transformation);
  return builder;
}

/** Leaves out the columns of tables that match. */
export function withoutColumns(pattern: string): DataTransformerConfig {
  return { id: "filterFieldsByName", options: { exclude: { pattern } } };
}

/** Makes one table of those of several queries, a row for each value of the column. */
export function joinBy(column: string): DataTransformerConfig {
  return { id: "joinByField", options: { byField: column, mode: "outer" } };
}

/** A column whose cells have the colour of their thresholds. */
export function colorColumn(
  builder: TableBuilder,
  name: string,
  facts: { unit: string; decimals: number; steps: Threshold[] },
): TableBuilder {
  return builder.overrideByName(name, [
    { id: "unit", value: facts.unit },
    { id: "decimals", value: facts.decimals },
    { id: "thresholds", value: { mode: "absolute", steps: facts.steps } },
    { id: "custom.cellOptions", value: { type: "color-background", mode: "basic" } },
  ]);
}

/** Gives a column its width, in pixels, and a heading or words of its own for its values. */
export function shapeColumn(
  builder: TableBuilder,
  name: string,
  facts: { width: number; heading?: string; words?: Readonly<Record<string, string>> },
): TableBuilder {
  const { width, heading, words } = facts;
  const options = Object.fromEntries(Object.entries(words ?? {}).map(([value, text], index) => [value, { text, index }]));
  return builder.overrideByName(name, [
    { id: "custom.width", value: width },
    ...(heading === undefined ? [] : [{ id: "displayName", value: heading }]),
    ...(words === undefined ? [] : [{ id: "mappings", value: [{ type: "value", options }] }]),
  ]);
}

/** A column of how late schedules are, in words: from twice the time between two starts on, KPIs are stale. */
export function freshnessColumn(builder: TableBuilder, name: string): TableBuilder {
  const words = [
    // Both ends count, and the first that fits is taken.
    { from: 0, to: staleLateness, result: { text: "fresh", color: colors.good, index: 0 } },
    { from: staleLateness, to: null, result: { text: "stale", color: colors.missed, index: 1 } },
  ];
  const facts = { unit: units.count, decimals: 1, steps: steps(colors.good, [staleLateness, colors.missed]) };
  return colorColumn(builder, name, facts).overrideByName(name, [
    { id: "custom.width", value: 64 },
    { id: "mappings", value: words.map((options) => ({ type: "range", options })) },
  ]);
}

/** A column whose cells lead to another dashboard, for the host of their row. */
export function linkColumn(builder: TableBuilder, name: string, dashboardUid: string, title: string): TableBuilder {
  const url = `/d/${dashboardUid}?var-host=\${__data.fields.host}&\${__url_time_range}`;
  return builder.overrideByName(name, [{ id: "links", value: [{ title, url, targetBlank: false }] }]);
}

/** One row of cells for each series, coloured by value: a heat map of hosts over time. */
export function statusHistory(facts: PanelFacts): StatusHistoryBuilder {
  return describe(new StatusHistoryBuilder(), facts)
    .colorScheme(byThresholds())
    .rowHeight(0.9)
    .colWidth(0.95)
    .showValue(VisibilityMode.Never)
    .perPage(60)
    .legend(new VizLegendOptionsBuilder().showLegend(false));
}

/** One bar for each series, coloured by state. */
export function stateTimeline(facts: PanelFacts, states: Readonly<Record<string, string>>): StateTimelineBuilder {
  return describe(new StateTimelineBuilder(), facts)
    .mappings([
      {
        type: "value",
        options: Object.fromEntries(Object.entries(states).map(([state, color], index) => [state, { color, index }])),
      } as never,
    ])
    .rowHeight(0.8)
    .mergeValues(true)
    .showValue(VisibilityMode.Never)
    .perPage(40)
    .legend(new VizLegendOptionsBuilder().showLegend(true).placement(LegendPlacement.Bottom));
}

/** Grafana's list of alerts, kept to Fleetmark's own by their label. The SDK has no builder of its own for it. */
export function alertList(title: string, description: string): PanelBuilder {
  return new PanelBuilder()
    .type("alertlist")
    .title(title)
    .description(description)
    .options({
      viewMode: "list",
      // By labels, so that each line names its host; the newest first.
      groupMode: "custom",
      groupBy: ["severity", "alertname", "host"],
      maxItems: 30,
      sortOrder: 5,
      dashboardAlerts: false,
      alertName: "",
      alertInstanceLabelFilter: `{team="${team}"}`,
      datasource: "-- Grafana --",
      stateFilter: { firing: true, pending: false, noData: true, normal: false, error: true },
    });
}
