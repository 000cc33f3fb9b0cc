export { type Agent, startAgent } from "./agent.js";
export { type AgentConfig, agentConfigSchema, readAgentConfig } from "./config.js";
export { type CollectorFound, probeCollector } from "./links/collector-probe.js";
export {
  createReportSink,
  type Report,
  type ReportOptions,
  type ReportOutcome,
  type ReportSink,
  startReport,
} from "./report/report.js";
export type { RunOutcome } from "./runs/suite-run.js";
