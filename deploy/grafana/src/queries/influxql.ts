/**
 * A small InfluxQL builder: the SELECT statements that dashboards and alert rules need, in the part of the language
 * that InfluxDB 1.6 to 3 share. Every statement, and every statement inside it, carries Grafana's `$timeFilter`: none
 * can be built that scans all history.
 */

export interface Select {
  /** Expressions, such as `as(mean("usage_user"), "user")`. */
  readonly fields: readonly string[];
  /** A measurement, or statements whose answers are read together. */
  readonly from: string | Select | readonly Select[];
  /** Conditions besides the time, all of which must hold. */
  readonly where?: readonly string[];
  /** Tags. */
  readonly groupBy?: readonly string[];
  /** Width of the time buckets: `$__interval`, or a duration. */
  readonly every?: string;
  /** What stands in buckets without a value. */
  readonly fill?: "none" | "null" | "previous" | 0;
}

/** Quotes a measurement, a tag's key or a field. */
export function quoteName(name: string): string {
  return `"${name.replace(/["\\]/g, "\\$&")}"`;
}

/** Quotes a tag's value or a text. */
export function quoteText(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}

function call(name: string): (field: string) => string {
  return (field) => `${name}(${quoteName(field)})`;
}

export const mean = call("mean");
export const median = call("median");
export const last = call("last");
export const min = call("min");
export const max = call("max");
export const sum = call("sum");
export const count = call("count");

export function as(expression: string, name: string): string {
  return `${expression} AS ${quoteName(name)}`;
}

/** Divides an expression, such as one in milliseconds for a chart in seconds. */
export function divideBy(expression: string, divisor: number): string {
  return divisor === 1 ? expression : `${expression} / ${divisor}`;
}

/** Per second, of a counter's aggregate in each bucket; a counter that began anew counts as none. */
export function perSecond(aggregate: string): string {
  return `non_negative_derivative(${aggregate}, 1s)`;
}

/** From one bucket's aggregate to the next; a counter that began anew counts as none. */
export function increase(aggregate: string): string {
  return `non_negative_difference(${aggregate})`;
}

/**
 * How much a counter grew, per group and in buckets where a width is given: sample by sample, so that neither a gap nor
 * a counter that began anew counts as growth.
 */
export function selectGrowth(
  measurement: string,
  counter: string,
  name: string,
  { where, groupBy, every }: Pick<Select, "where" | "groupBy" | "every">,
): Select {
  const steps: Select = {
    fields: [as(`non_negative_difference(${quoteName(counter)})`, "growth")],
    from: measurement,
    where,
    groupBy,
  };
  const buckets = every === undefined ? {} : ({ every, fill: "none" } as const);
  return { fields: [as(sum("growth"), name)], from: steps, groupBy, ...buckets };
}

export function equals(tag: string, value: string): string {
  return `${quoteName(tag)} = ${quoteText(value)}`;
}

/**
 * Keeps to what a dashboard's variable has selected. Grafana fills in escaped values as `(a|b)` (some versions: `a|b`),
 * and All as the variable's own pattern; the group makes all of them one alternative between the anchors.
 */
export function selected(tag: string, variable = tag): string {
  return `${quoteName(tag)} =~ /^($${variable})$/`;
}

/** Keeps to what is younger, whatever time is shown or looked back on. */
export function youngerThan(seconds: number): string {
  return `time > now() - ${seconds}s`;
}

/** Keeps to tags of one of the values. */
export function isOneOf(tag: string, values: readonly string[]): string {
  return `${quoteName(tag)} =~ /^(${values.join("|")})$/`;
}

function renderSource(from: Select["from"]): string {
  if (typeof from === "string") return quoteName(from);
  return [from]
    .flat()
    .map((select) => `(${renderSelect(select)})`)
    .join(", ");
}

export function renderSelect(select: Select): string {
  const source = renderSource(select.from);
  const groups = [...(select.every === undefined ? [] : [`time(${select.every})`]), ...(select.groupBy ?? []).map(quoteName)];
  return [
    `SELECT ${select.fields.join(", ")} FROM ${source}`,
    `WHERE ${["$timeFilter", ...(select.where ?? [])].join(" AND ")}`,
    ...(groups.length === 0 ? [] : [`GROUP BY ${groups.join(", ")}`]),
    ...(select.fill === undefined ? [] : [`fill(${select.fill})`]),
  ].join(" ");
}

/** Lists the values of a tag, for a variable; InfluxDB keeps them in its index, without times. */
export function renderTagValues(measurement: string, tag: string, where: readonly string[] = []): string {
  const conditions = where.length === 0 ? "" : ` WHERE ${where.join(" AND ")}`;
  return `SHOW TAG VALUES FROM ${quoteName(measurement)} WITH KEY = ${quoteName(tag)}${conditions}`;
}
