import type { ProvisionedRule } from "../alerts/rule.js";
import type { Series } from "./answers.js";

/**
 * Evaluates the expressions of an alert rule as Grafana's do, in so far as the rules here use them: the last number of each
 * series, then a threshold, or math that compares that number. After Grafana's pkg/expr: reduce without nulls (dropNN), `gt` and `lt` that leave the
 * bound out, `outside_range`, and math of comparisons joined by &&.
 */

export interface Verdict {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly bad: boolean;
}

interface ReduceModel {
  readonly type: "reduce";
  readonly reducer: string;
}

interface ThresholdModel {
  readonly type: "threshold";
  readonly conditions: readonly { readonly evaluator: { readonly type: string; readonly params: readonly number[] } }[];
}

interface MathModel {
  readonly type: "math";
  readonly expression: string;
}

const comparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
};

function holdsThreshold({ conditions }: ThresholdModel, value: number): boolean {
  const { type, params } = conditions[0].evaluator;
  if (type === "gt") return value > params[0];
  if (type === "lt") return value < params[0];
  if (type === "outside_range") return value < Math.min(...params) || value > Math.max(...params);
  throw new Error(`a threshold of type ${type} is not known here`);
}

function holdsMath({ expression }: MathModel, value: number): boolean {
  return expression.split("&&").every((part) => {
    const match = /^\s*\$B\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*$/.exec(part);
    if (match === null) throw new Error(`math such as ${JSON.stringify(part)} is not known here`);
    return comparisons[match[1]](value, Number(match[2]));
  });
}

/** Judges each series that the rule's query A answered. Series without a number have no verdict. */
export function evaluateRule(rule: ProvisionedRule, series: readonly Series[]): Verdict[] {
  const models = rule.data.slice(1).map(({ model }) => model as ReduceModel | ThresholdModel | MathModel);
  const reduce = models.find((model): model is ReduceModel => model.type === "reduce");
  const judge = models.find((model): model is ThresholdModel | MathModel => model.type !== "reduce");
  if (reduce?.reducer !== "last" || judge === undefined)
    throw new Error(`${rule.uid} has not the expressions that are known here`);
  return series.flatMap(({ labels, values }) => {
    const numbers = values.filter((each): each is number => typeof each === "number" && Number.isFinite(each));
    if (numbers.length === 0) return [];
    const value = numbers[numbers.length - 1];
    return [{ labels, value, bad: judge.type === "math" ? holdsMath(judge, value) : holdsThreshold(judge, value) }];
  });
}
