import type { Command } from "commander";
import { addBenchCommand } from "./bench.js";
import { addConfigCommand } from "./config.js";
import { addAgentCommand, addCollectorCommand } from "./daemons.js";
import { addDoctorCommand } from "./doctor.js";
import { addResultsCommand } from "./results.js";
import { addStoreCommand } from "./store.js";
import { addUpCommand } from "./up.js";

/** Adds every command, in the order in which the help shows them. */
export function addAllCommands(program: Command): void {
  addUpCommand(program);
  addBenchCommand(program);
  addResultsCommand(program);
  addDoctorCommand(program);
  addAgentCommand(program);
  addCollectorCommand(program);
  addStoreCommand(program);
  addConfigCommand(program);
}
