export { type Agent, startAgent } from "./agent.js";
export { type AgentConfig, agentConfigSchema } from "./config.js";
export type { RunOutcome } from "./runs/suite-run.js";
