import { benchmarkDashboard } from "./benchmarks.js";
import { fleetDashboard } from "./fleet.js";
import { gpuDashboard } from "./gpus.js";
import { hostDashboard } from "./host.js";
import { kpiDashboard } from "./kpis.js";
import { pipelineDashboard } from "./pipeline.js";
import { runbookDashboard } from "./runbooks.js";

/** Every dashboard there is. To add one, add its file and its name here. */
export const dashboards = [
  fleetDashboard,
  kpiDashboard,
  benchmarkDashboard,
  hostDashboard,
  gpuDashboard,
  pipelineDashboard,
  runbookDashboard,
] as const;
