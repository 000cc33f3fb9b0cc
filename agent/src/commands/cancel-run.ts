import { z } from "zod";
import { defineCommand } from "./command-definition.js";

const argumentsSchema = z.strictObject({
  run: z.string().max(128).optional().describe("the id of one; default: all that commands asked for"),
  commands: z.array(z.string().max(128)).max(100).optional().describe("ids of the commands that asked for them"),
  reason: z.string().max(300).default("called off from the collector"),
});

/** Calls off runs that wait, and ends the one under way: by its id, or those that commands asked for. */
export const cancelRunCommand = defineCommand("cancel_run", argumentsSchema, ({ queue }) => async ({ run, commands, reason }) => {
  const cancelled = queue.cancel((request) => {
    if (run !== undefined) return request.run === run;
    if (commands !== undefined) return request.command !== undefined && commands.includes(request.command);
    return request.trigger === "command";
  }, reason);
  return { cancelled };
});
