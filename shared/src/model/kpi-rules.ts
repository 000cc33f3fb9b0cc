import { z } from "zod";
import { alertSeverities, type Kpi, type KpiField, kpiFields, kpis } from "./kpis.js";
import { suggest } from "./nearest.js";
import { categories } from "./result.js";
import { durationSchema } from "./units.js";

/**
 * KPIs by rules of a configuration: a known one with other thresholds, for some hosts or for all, or one of a
 * person's own. Rules say what is read and compared; nothing of them is executed.
 */

const glob = z.string().min(1).max(255);

/** One rule as it is written. What a KPI of the project fixes by itself can't be said of it again. */
export const kpiRuleSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,63}$/, "holds up to 64 small letters, digits and _, and begins with a letter")
    .describe("of a KPI that there is, whose thresholds are changed; or of one of your own"),
  title: z.string().min(1).max(100).describe("what people call it").optional(),
  target: z.number().describe("values past it miss the target: a warning").optional(),
  alert: z.number().describe("values past it are an alert").optional(),
  for: durationSchema.describe("how long it must be past a line before an alert fires").optional(),
  severity: z.enum(alertSeverities).describe("of an alert past the alert threshold; default: critical").optional(),
  hosts: glob.describe("glob of the hosts that it holds for; default: all").optional(),
  hw_class: glob.describe("glob of the hardware classes that it holds for; default: all").optional(),
  benchmark: z.string().min(1).max(200).describe("of your own: the workload").optional(),
  category: z.enum(categories).optional(),
  params: z
    .string()
    .max(500)
    .describe("of your own: parameters that it must have, such as batch=64,env=HVACControl-v0")
    .optional(),
  runtime: z.string().min(1).max(100).optional(),
  device: z.string().min(1).max(100).optional(),
  field: z.enum(kpiFields).describe("of your own: what of a result is read; default: median").optional(),
  unit: z
    .string()
    .min(1)
    .max(30)
    .describe("of your own: ns, us, ms, s, % or MB; of a throughput the result's own unit, such as steps/s")
    .optional(),
  better: z.enum(["lower", "higher"]).describe("of your own; default: higher for a throughput, else lower").optional(),
  aggregate: z
    .enum(["worst", "best"])
    .describe("of your own: which of a host's results speaks where several feed it; default: worst")
    .optional(),
});

export type KpiRule = z.infer<typeof kpiRuleSchema>;

/** A fault of a rule: its place in the list, what of it, and why. */
interface Fault {
  readonly index: number;
  readonly key: keyof KpiRule;
  readonly message: string;
}

/** Units of a result's samples, with the factor to them. */
const sampleUnits: Readonly<Record<string, { readonly of: string; readonly scale: number }>> = {
  ns: { of: "s", scale: 1e9 },
  us: { of: "s", scale: 1e6 },
  ms: { of: "s", scale: 1e3 },
  s: { of: "s", scale: 1 },
  "%": { of: "%", scale: 1 },
  MB: { of: "MB", scale: 1 },
};

/** Fields whose unit does not depend on what is measured. */
const fixedUnits: Readonly<Partial<Record<KpiField, string>>> = { memory_peak_mb: "MB", cpu_percent: "%" };

/** What a KPI of the project says itself. */
const ownKeys = ["benchmark", "category", "params", "runtime", "device", "field", "unit", "better", "aggregate"] as const;

type Built = Kpi | Pick<Fault, "key" | "message">;

const isFault = (built: Built): built is Pick<Fault, "key" | "message"> => "message" in built;

/** What is said of a KPI whoever made it. */
function readShared({ for: forS, severity, hosts, hw_class }: KpiRule): Partial<Kpi> {
  return {
    ...(forS === undefined ? {} : { forS }),
    ...(severity === undefined ? {} : { severity }),
    ...(hosts === undefined ? {} : { hosts }),
    ...(hw_class === undefined ? {} : { hw_class }),
  };
}

/** The thresholds lie in the order in which things get worse. */
function checkOrder(kpi: Kpi): Built {
  const isOrdered = kpi.better === "lower" ? kpi.target < kpi.alert : kpi.target > kpi.alert;
  const order = kpi.better === "lower" ? "under" : "over";
  const message = `the target (${kpi.target}) must lie ${order} the alert threshold (${kpi.alert}), for ${kpi.better} is better`;
  return isOrdered ? kpi : { key: "alert", message };
}

function override(known: Kpi, rule: KpiRule): Built {
  const said = ownKeys.find((key) => rule[key] !== undefined);
  if (said !== undefined) return { key: said, message: `can't be changed of ${known.id}; give a KPI of your own another id` };
  const { title = known.title, target = known.target, alert = known.alert } = rule;
  const kpi = { ...known, title, target, alert, ...readShared(rule) };
  const changes = ["title", "target", "alert", "for", "severity"] as const;
  if (changes.every((key) => rule[key] === undefined)) {
    return {
      key: "id",
      message: `the rule changes nothing of ${known.id}: give it a target, an alert threshold, for or severity`,
    };
  }
  return checkOrder(kpi);
}

/** By what results are found whose field is in this unit, and the factor to it. */
function chooseUnit(field: KpiField, unit: string): { readonly of?: string; readonly scale: number } | string {
  const fixed = fixedUnits[field];
  if (fixed !== undefined) return unit === fixed ? { scale: 1 } : `${field} is in ${fixed}, never in ${unit}`;
  if (field === "throughput") return { of: unit, scale: 1 };
  return sampleUnits[unit] ?? `${field} is in ${Object.keys(sampleUnits).join(", ")}, never in ${unit}`;
}

function buildOwn(rule: KpiRule, known: readonly string[]): Built {
  const { id, target, alert, benchmark, field = "median", unit = fixedUnits[field] } = rule;
  if (benchmark === undefined) {
    return { key: "benchmark", message: `is needed of a KPI of your own; ${suggest(id, known)}` };
  }
  if (target === undefined) return { key: "target", message: "is needed of a KPI of your own" };
  if (alert === undefined) return { key: "alert", message: "is needed of a KPI of your own" };
  if (unit === undefined) return { key: "unit", message: "is needed of a KPI of your own, such as ms" };
  const chosen = chooseUnit(field, unit);
  if (typeof chosen === "string") return { key: "unit", message: chosen };
  const builtIn = kpis.find((kpi) => kpi.benchmark === benchmark);
  if (builtIn !== undefined && rule.category !== undefined && rule.category !== builtIn.category) {
    return { key: "category", message: `can match nothing: ${benchmark} is of the category ${builtIn.category}` };
  }
  const { title = id, better = field === "throughput" ? "higher" : "lower", aggregate: speaks = "worst" } = rule;
  const { category, params, runtime, device } = rule;
  return checkOrder({
    id,
    title,
    unit,
    better,
    target,
    alert,
    description: `${field} of ${benchmark}`,
    benchmark,
    ...(category === undefined ? {} : { category }),
    ...(params === undefined ? {} : { params }),
    ...(runtime === undefined ? {} : { runtime }),
    ...(device === undefined ? {} : { device }),
    read: field,
    speaks,
    ...chosen,
    ...readShared(rule),
  });
}

const isForAll = ({ hosts, hw_class }: Kpi): boolean => hosts === undefined && hw_class === undefined;

/** Whether everything that a KPI holds for is taken by an earlier one of its id. */
function isShadowed(kpi: Kpi, former: readonly Kpi[]): boolean {
  return former.some((each) => isForAll(each) || (each.hosts === kpi.hosts && each.hw_class === kpi.hw_class));
}

/** Finds out why a rule does not go with those before it of the same id; undefined where it does. */
function findClash(kpi: Kpi, former: readonly Kpi[]): Pick<Fault, "key" | "message"> | undefined {
  if (isShadowed(kpi, former))
    return { key: "id", message: `can never match: an earlier rule of ${kpi.id} holds for the same hosts` };
  const other = former.find(({ unit, better }) => unit !== kpi.unit || better !== kpi.better);
  if (other === undefined) return undefined;
  return {
    key: "unit",
    message: `another rule of ${kpi.id} is in ${other.unit}, ${other.better} being better: they can't be one KPI`,
  };
}

/**
 * Puts the KPIs of the project and those of rules together: of each id those for some hosts in the order of the rules,
 * then the one for all.
 */
export function buildKpiCatalogue(rules: readonly KpiRule[]): {
  readonly catalogue: readonly Kpi[];
  readonly faults: readonly Fault[];
} {
  const faults: Fault[] = [];
  const ruled = new Map<string, Kpi[]>(kpis.map(({ id }) => [id, []]));
  for (const [index, rule] of rules.entries()) {
    const known = kpis.find(({ id }) => id === rule.id);
    const former = ruled.get(rule.id) ?? [];
    const built = known === undefined ? buildOwn(rule, [...ruled.keys()]) : override(known, rule);
    const fault = isFault(built) ? built : findClash(built, former);
    if (fault !== undefined) faults.push({ index, ...fault });
    else if (!isFault(built)) ruled.set(rule.id, [...former, built]);
  }
  const catalogue = [...ruled].flatMap(([id, own]) => [
    ...own,
    ...(own.some(isForAll) ? [] : kpis.filter((kpi) => kpi.id === id)),
  ]);
  return { catalogue, faults };
}

/** Rules of a configuration; the whole catalogue after parsing. */
export const kpiRulesSchema = z.array(kpiRuleSchema).transform((rules, context): readonly Kpi[] => {
  const { catalogue, faults } = buildKpiCatalogue(rules);
  for (const { index, key, message } of faults) context.addIssue({ code: "custom", path: [index, key], message });
  return catalogue;
});
