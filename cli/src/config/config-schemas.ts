import { agentConfigSchema } from "@fleetmark/agent/config";
import { collectorConfigSchema } from "@fleetmark/collector/config";

/** The configuration schema of each process. */
export const configSchemas: {
  readonly agent: typeof agentConfigSchema;
  readonly collector: typeof collectorConfigSchema;
} = { agent: agentConfigSchema, collector: collectorConfigSchema };
