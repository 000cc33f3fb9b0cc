import type { CommandHandler } from "./command-inbox.js";

/** Every command that this agent knows, by its name. To add one, add its file and a line here. */
export const commandHandlers: ReadonlyMap<string, CommandHandler> = new Map();
