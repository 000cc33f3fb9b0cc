import { FleetmarkError } from "@fleetmark/shared/errors";
import { findNearest } from "@fleetmark/shared/model/nearest";
import type { TensorRuntime } from "../runtimes/runtime.js";
import type { Params, SetupContext } from "./workload.js";

/** @throws FleetmarkError INTERNAL when the workload was set up without the runtime that it declares to need */
export function requireRuntime({ runtime }: SetupContext): TensorRuntime {
  if (runtime === undefined) throw new FleetmarkError("INTERNAL", "a tensor workload was set up without a runtime");
  return runtime;
}

/** @throws FleetmarkError BENCHMARK_UNKNOWN when the parameters are not exactly the names given */
export function checkParamNames(workload: string, params: Params, names: readonly string[]): void {
  const given = Object.keys(params);
  if (given.length !== names.length || names.some((name) => !given.includes(name))) {
    const stray = given.find((name) => !names.includes(name));
    const nearest = stray === undefined ? undefined : findNearest(stray, names);
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    const told = `${workload} takes the parameters ${names.join(", ")}, not ${given.join(", ") || "none"}${hint}`;
    throw new FleetmarkError("BENCHMARK_UNKNOWN", told);
  }
}

/** Reads a parameter that is one of a few words. @throws FleetmarkError BENCHMARK_UNKNOWN */
export function readChoice<C extends string>(params: Params, name: string, choices: readonly C[]): C {
  const choice = choices.find((candidate) => candidate === params[name]);
  if (choice === undefined) {
    const nearest = findNearest(String(params[name]), choices);
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    const told = `the parameter ${name} is one of ${choices.join(", ")}, not ${params[name]}${hint}`;
    throw new FleetmarkError("BENCHMARK_UNKNOWN", told);
  }
  return choice;
}

/** Reads a parameter that counts something: an integer of 1 to 10 million. @throws FleetmarkError BENCHMARK_UNKNOWN */
export function readCount(params: Params, name: string): number {
  const count = Number(params[name]);
  if (!Number.isInteger(count) || count < 1 || count > 1e7) {
    throw new FleetmarkError("BENCHMARK_UNKNOWN", `the parameter ${name} is an integer of 1 to 10 million, not ${params[name]}`);
  }
  return count;
}
