import type { ProvisionedRule } from "#grafana/alerts/rule.js";
import type { Series } from "./answers.js";

/**
 * Evaluates the expressions of an alert rule as Grafana's do, in so far as the rules here use them: the last number of
 * each series, then a threshold, or math that compares that number. After Grafana's pkg/expr: reduce without nulls
 * (dropNN), `gt` and `lt` that leave the bound out, `outside_range`, and math of comparisons joined by &&.
 */

export interface Verdict {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly bad: boolean;
}

/** What a rule found: verdicts, or that a query which it needs answered nothing. */
export type Evaluation = { readonly kind: "judged"; readonly verdicts: readonly Verdict[] } | { readonly kind: "no-data" };

interface ReduceModel {
  readonly type: "reduce";
  readonly expression: string;
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

/** @param numbers by the letters that stand for them */
function holdsMath({ expression }: MathModel, numbers: ReadonlyMap<string, number>): boolean {
  return expression.split("&&").every((part) => {
    const match = /^\s*\$([A-Z])\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*$/.exec(part);
    const left = numbers.get(match?.[1] ?? "");
    if (match === null || left === undefined) throw new Error(`math such as ${JSON.stringify(part)} is not known here`);
    return comparisons[match[2]](left, Number(match[3]));
  });
}

/** The last number of each series; those without any are left out. */
function takeLast(series: readonly Series[]): Omit<Verdict, "bad">[] {
  return series.flatMap(({ labels, values }) => {
    const value = values.findLast((each): each is number => typeof each === "number" && Number.isFinite(each));
    return value === undefined ? [] : [{ labels, value }];
  });
}

/**
 * Judges what the rule's queries answered, by their letters: each series of A, together with the single number of D
 * where the rule has one. Where one of them answered nothing, the rule has no data.
 */
export function evaluateRule(rule: ProvisionedRule, answers: Readonly<Record<string, readonly Series[]>>): Evaluation {
  const reduced = new Map<string, Omit<Verdict, "bad">[]>();
  let judge: ThresholdModel | MathModel | undefined;
  for (const { refId, model } of rule.data) {
    const { type } = model as { type?: string };
    if (type === "threshold" || type === "math") judge = model as ThresholdModel | MathModel;
    if (type === "reduce") reduced.set(refId, takeLast(answers[(model as ReduceModel).expression] ?? []));
  }
  const subjects = reduced.get("B");
  if (judge === undefined || subjects === undefined) throw new Error(`${rule.uid} has not the expressions that are known here`);
  if ([...reduced.values()].some((numbers) => numbers.length === 0)) return { kind: "no-data" };
  const others = [...reduced].filter(([letter]) => letter !== "B").map(([letter, [single]]) => [letter, single.value] as const);
  const verdicts = subjects.map(({ labels, value }) => {
    const bad = judge.type === "math" ? holdsMath(judge, new Map([...others, ["B", value]])) : holdsThreshold(judge, value);
    return { labels, value, bad };
  });
  return { kind: "judged", verdicts };
}
