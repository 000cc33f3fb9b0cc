import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { checkCommandLine, findCommandLines, findMissingFlag } from "./command-lines.js";

const program = new Command("fleetmark");
program.command("bench").option("--quick").option("-c, --config <file>");
program.command("store").command("check").option("--json");
program.command("schema").requiredOption("--for <process>");

it("finds command lines in code and on lines of their own", () => {
  const text =
    "Run `fleetmark store check --json` or `npx fleetmark bench` first; fleetmark is a name.\n  fleetmark bench --quick   a remark\n";
  expect(findCommandLines(text)).toEqual(["fleetmark store check --json", "fleetmark bench", "fleetmark bench --quick"]);
  expect(findCommandLines("`fleetmark bench [--quick] [--config FILE]` | `A=1 fleetmark store | head`")).toEqual([
    "fleetmark bench --quick --config FILE",
    "fleetmark store",
  ]);
});

describe("checkCommandLine", () => {
  it.each([
    ["fleetmark bench --quick -c a.yaml", undefined],
    ["fleetmark store check --json", undefined],
    ["fleetmark --version", undefined],
    ["fleetmark bench --help", undefined],
    ["fleetmark bunch", "there is no command bunch"],
    ["fleetmark store chuck", "there is no command chuck"],
    ["fleetmark store check --quick", "check has no --quick"],
  ])("of %s says %s", (line, complaint) => {
    expect(checkCommandLine(program, line)).toBe(complaint);
  });
});

it("finds the flag that a command can't do without", () => {
  expect(findMissingFlag(program, "fleetmark schema")).toBe("--for");
  expect(findMissingFlag(program, "fleetmark schema --for agent")).toBeUndefined();
  expect(findMissingFlag(program, "fleetmark store check")).toBeUndefined();
});
