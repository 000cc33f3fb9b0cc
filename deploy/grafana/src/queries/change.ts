import { as, type Select } from "./influxql.js";

/**
 * How far a series is from where it stood at the begin of the time shown. An axis that starts at 0, reaches to a target
 * or spans decades hides a change of a twentieth; here it stands out, whatever the value is.
 *
 * InfluxQL can't divide a series by one value of its own. But the logarithms of what lies between two values add up to
 * that of their quotient: exp(sum of differences of ln v) = v / first v.
 */

/**
 * The axis of such a chart, in percent: bounded, for one host that got a thousand times slower would press the others'
 * changes flat. What is beyond leaves the chart, and stands in its legend.
 */
export const relativeAxis = { min: -50, max: 50 } as const;

/** The same for what is a share itself, in percentage points. */
export const absoluteAxis = { min: -10, max: 10 } as const;

/** Wraps a series named `v`, one for each group, in a statement that reads it. */
function wrap(expression: string, name: string, from: Select, where: readonly string[] = []): Select {
  return { fields: [as(expression, name)], from, where, groupBy: from.groupBy };
}

/** The change of a field named `v` in percent. Values that are not above 0 have no such change, and are left out. */
export function selectRelativeChange(series: Select): Select {
  const logarithms = wrap('ln("v")', "l", series, ['"v" > 0']);
  const differences = wrap('difference("l")', "d", logarithms);
  const sums = wrap('cumulative_sum("d")', "s", differences);
  return wrap('exp("s") * 100 - 100', "change", sums);
}

/** The change of a field named `v` in its own unit: for what is a share already, and may be 0 or less. */
export function selectAbsoluteChange(series: Select): Select {
  const differences = wrap('difference("v")', "d", series);
  return wrap('cumulative_sum("d")', "change", differences);
}
