import { z } from "zod";
import { defineCommand } from "./command-definition.js";

const argumentsSchema = z.strictObject({ level: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]) });

/** Changes what the agent logs, until it is started again. */
export const setLogLevelCommand = defineCommand("set_log_level", argumentsSchema, ({ logger }) => async ({ level }) => {
  const before = logger.level;
  logger.level = level;
  return { before, level };
});
