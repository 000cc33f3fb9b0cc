import { median } from "@fleetmark/shared/stats/quantiles";
import { readClock } from "../../machine/clock.js";
import type { Iterate } from "../../workloads/workload.js";
import { timeFirstCall } from "./sample.js";

const fewestSteadyCalls = 5;
const mostSteadyCalls = 50;
const steadyCallsS = 0.2;

export interface FirstCall {
  readonly firstS: number;
  readonly steadyS: number;
  readonly calls: number;
}

/**
 * Times the first call of work that prepares itself in it (compiles a kernel), and the median of the calls after it.
 */
export async function measureFirstCall(call: Iterate): Promise<FirstCall> {
  const firstS = (await timeFirstCall(call)).seconds;
  const steady: number[] = [];
  const deadline = readClock() + steadyCallsS;
  while (steady.length < fewestSteadyCalls || (steady.length < mostSteadyCalls && readClock() < deadline)) {
    steady.push((await timeFirstCall(call)).seconds);
  }
  return { firstS, steadyS: median(steady), calls: steady.length + 1 };
}
