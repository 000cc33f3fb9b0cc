import { agentConfigSchema } from "@fleetmark/agent/config";
import { collectorConfigSchema } from "@fleetmark/collector/config";

/** The configuration schema of each process. */
export const configSchemas = { agent: agentConfigSchema, collector: collectorConfigSchema } as const;
