import type { Result } from "../model/result.js";
import { compareWithExpectation, expectResult } from "./expectation.js";
import { allowForDrift, type MachineDrift, measureDrift, readMachineState, summarizeMachine } from "./machine-drift.js";
import { judgeChange, type Verdict } from "./verdict.js";

/** A change in percent, more being slower, or in percentage points; with its interval. */
export interface Moved {
  readonly change: number;
  readonly low: number;
  readonly high: number;
}

/** How a result moved against others of its benchmark. */
export interface ResultMove extends Moved {
  /** In the result's own unit. */
  readonly before: number;
  readonly after: number;
  readonly drift: MachineDrift;
  readonly verdict: Exclude<Verdict, "not-steady">;
  /** It would be a regression, if the machine itself had not become slower. */
  readonly isMachine: boolean;
}

function inPercent(moved: Moved): Moved {
  return { change: 100 * moved.change, low: 100 * moved.low, high: 100 * moved.high };
}

const judge = ({ change, low, high }: Moved): ResultMove["verdict"] => judgeChange(change, low, high, 1);

/**
 * Measures how a result moved against results of one level. The interval of the change is that of one more result among
 * them, so that a benchmark that differs from day to day is held to less than one that does not; of times it reaches as
 * much further as the machine itself became slower.
 * @param before at least one, of the same quantity and unit
 */
export function measureMove(result: Result, before: readonly Result[], confidence: number): ResultMove {
  const compared = compareWithExpectation(result, expectResult(before), confidence);
  const isTime = result.quantity === "time";
  const drift = isTime ? measureDrift(summarizeMachine(before), readMachineState(result)) : { pace: 0, contention: 0 };
  const raw = result.quantity === "overhead" ? compared : inPercent(compared);
  const allowed = isTime ? inPercent(allowForDrift(compared, drift)) : raw;
  const verdict = judge(allowed);
  const { change, low, high } = allowed;
  const isMachine = verdict !== "regressed" && judge(raw) === "regressed";
  return { before: compared.before, after: compared.after, change, low, high, drift, verdict, isMachine };
}
