import { agentConfigSchema } from "@fleetmark/agent";
import { collectorConfigSchema } from "@fleetmark/collector";

/** The configuration schema of each process. */
export const configSchemas = { agent: agentConfigSchema, collector: collectorConfigSchema } as const;
