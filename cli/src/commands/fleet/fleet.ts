import type { Command } from "commander";
import { defineFleetCancel } from "./cancel.js";
import { defineFleetRun } from "./run.js";
import { defineFleetSlow } from "./slow.js";
import { defineFleetStatus } from "./status.js";

export function defineFleet(fleet: Command): void {
  defineFleetStatus(fleet.command("status").description("show hosts, their runs and schedules, and how each stands"));
  defineFleetSlow(fleet.command("slow").description("show hosts that are slower than others of their hardware class"));
  defineFleetRun(fleet.command("run").description("run a suite on hosts of the fleet, each when it is free"));
  defineFleetCancel(
    fleet.command("cancel <campaign>").description("call a run of `fleet run` off: what waits and what is under way"),
  );
}
