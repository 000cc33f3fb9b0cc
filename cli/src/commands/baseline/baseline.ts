import type { Command } from "commander";
import { defineAccept, definePin, defineUnpin } from "./decide.js";
import { defineBaselineExport, defineBaselineImport } from "./exchange.js";
import { defineBaselineList } from "./list.js";

export function defineBaseline(baseline: Command): void {
  defineBaselineList(baseline.command("list").description("show what was decided, by whom, when and why"));
  definePin(baseline.command("pin <host>").description("compare the host's results with those of a run, until it is unpinned"));
  defineUnpin(baseline.command("unpin <host>").description("compare with the last results again"));
  defineAccept(baseline.command("accept <host>").description("take the level that the host's benchmarks are at as it is"));
  defineBaselineExport(baseline.command("export <host>").description("write a host's baseline as a result file"));
  defineBaselineImport(baseline.command("import <host> <file>").description("pin the results of a file as a host's baseline"));
}
