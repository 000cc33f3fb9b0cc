import type { Command } from "commander";
import { defineFleetCancel } from "./cancel.js";
import { defineFleetRun } from "./run.js";
import { defineFleetStatus } from "./status.js";

export function defineFleet(fleet: Command): void {
  defineFleetStatus(fleet.command("status").description("show hosts, their runs and schedules, and how each stands"));
  defineFleetRun(fleet.command("run").description("run a suite on hosts of the fleet, each when it is free"));
  defineFleetCancel(
    fleet.command("cancel <campaign>").description("call a run of `fleet run` off: what waits and what is under way"),
  );
}
