import type { Panel, Threshold } from "@grafana/grafana-foundation-sdk/dashboard";

/**
 * How the values of one field are shown: what Grafana makes of a panel's defaults and of its overrides for that name.
 */
export interface FieldStyle {
  readonly unit: string;
  readonly decimals: number | undefined;
  readonly steps: readonly Threshold[];
  readonly displayName: string;
  /** A colour of its own, whatever its values. */
  readonly color: string | undefined;
  readonly lineWidth: number;
  readonly dash: readonly number[];
  readonly points: boolean;
  readonly fillBelowTo: string | undefined;
  readonly cell: string | undefined;
  readonly link: boolean;
  /** Of a column, in pixels. */
  readonly width: number | undefined;
  /** What is shown in place of a value. */
  readonly findWord: (value: number | string | null) => string | undefined;
}

/** Grafana's names of colours, in its dark theme. */
const namedColors: Readonly<Record<string, string>> = {
  green: "#73BF69",
  yellow: "#FADE2A",
  red: "#F2495C",
  blue: "#5794F2",
  orange: "#FF9830",
  purple: "#B877D9",
  text: "#8e8ea0",
};

const palette =
  "#7EB26D #EAB839 #6ED0E0 #EF843C #E24D42 #1F78C1 #BA43A9 #705DA0 #508642 #CCA300 #447EBC #C15C17 #890F02 #0A437C #6D1F62 #584477 #B7DBAB #F4D598 #70DBED #F9BA8F #F29191 #82B5D8 #E5A8E2 #AEA2E0".split(
    " ",
  );

export function resolveColor(name: string): string {
  return namedColors[name] ?? name;
}

/** A colour that a name keeps, wherever it is drawn. */
export function colorByName(name: string): string {
  let hash = 0;
  for (const char of name) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  return palette[hash % palette.length];
}

/** The colour of the last step that the value reaches. */
export function colorByThresholds(value: number | string | null, steps: readonly Threshold[]): string {
  const reached = steps.filter((step) => step.value === null || (typeof value === "number" && value >= step.value));
  return resolveColor(reached[reached.length - 1]?.color ?? "text");
}

/** Whether an override is for a name: by the name itself, or by an expression between slashes. */
function matches({ id, options }: { readonly id: string; readonly options?: unknown }, name: string): boolean {
  if (id === "byRegexp") return new RegExp(String(options).slice(1, -1)).test(name);
  return id === "byName" && options === name;
}

/** A mapping of single values, or of what lies between two, both included. */
type Mapping =
  | { readonly type: "value"; readonly options: Readonly<Record<string, { text?: string }>> }
  | {
      readonly type: "range";
      readonly options: { readonly from: number | null; readonly to: number | null; readonly result: { text?: string } };
    };

/** The text that the first mapping which fits a value gives it. */
function findWord(mappings: readonly Mapping[], value: number | string | null): string | undefined {
  for (const mapping of mappings) {
    if (mapping.type === "value") {
      const found = mapping.options[String(value)];
      if (found !== undefined) return found.text;
    } else if (typeof value === "number") {
      const { from, to, result } = mapping.options;
      if (value >= (from ?? Number.NEGATIVE_INFINITY) && value <= (to ?? Number.POSITIVE_INFINITY)) return result.text;
    }
  }
  return undefined;
}

export function styleField(panel: Panel, name: string): FieldStyle {
  const { defaults, overrides } = panel.fieldConfig ?? { defaults: {}, overrides: [] };
  const properties = new Map<string, unknown>();
  for (const override of overrides) {
    if (!matches(override.matcher, name)) continue;
    for (const { id, value } of override.properties) properties.set(id, value);
  }
  const custom = (defaults.custom ?? {}) as Record<string, unknown>;
  const read = <T>(id: string, fallback: T): T => (properties.has(id) ? (properties.get(id) as T) : fallback);
  const color = read<{ fixedColor?: string } | undefined>("color", defaults.color)?.fixedColor;
  const showPoints = read("custom.showPoints", custom.showPoints as string | undefined);
  return {
    unit: read("unit", defaults.unit ?? "short"),
    decimals: read("decimals", defaults.decimals),
    steps: read("thresholds", defaults.thresholds)?.steps ?? [],
    displayName: read("displayName", name),
    color: color === undefined ? undefined : resolveColor(color),
    lineWidth: read("custom.lineWidth", (custom.lineWidth as number | undefined) ?? 1),
    dash: read<{ dash?: number[] }>("custom.lineStyle", {}).dash ?? [],
    points: showPoints === "always",
    fillBelowTo: read<string | undefined>("custom.fillBelowTo", undefined),
    cell: read<{ type?: string }>("custom.cellOptions", {}).type,
    link: properties.has("links"),
    width: read<number | undefined>("custom.width", undefined),
    findWord: (value) => findWord(read("mappings", []), value),
  };
}
