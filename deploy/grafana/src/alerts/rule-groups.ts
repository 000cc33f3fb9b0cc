import { folder } from "../panels/dashboard-ids.js";
import { fleetRules } from "./fleet-rules.js";
import { gpuRules } from "./gpu-rules.js";
import { kpiRules } from "./kpi-rules.js";
import type { ProvisionedRule } from "./rule.js";

export interface RuleGroup {
  readonly orgId: number;
  readonly name: string;
  readonly folder: string;
  readonly interval: string;
  readonly rules: readonly ProvisionedRule[];
}

/**
 * Every group of alert rules. To add a rule, add it to its group's file; to add a group, add its file and its line
 * here.
 */
export const ruleGroups: readonly RuleGroup[] = [
  { orgId: 1, name: "KPIs", folder, interval: "5m", rules: kpiRules },
  { orgId: 1, name: "Fleet and pipeline", folder, interval: "1m", rules: fleetRules },
  { orgId: 1, name: "GPUs", folder, interval: "1m", rules: gpuRules },
];

export function buildRulesFile(): object {
  return { apiVersion: 1, groups: ruleGroups };
}
