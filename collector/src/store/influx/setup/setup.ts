import { FleetmarkError } from "@fleetmark/shared/errors";
import { HttpError } from "@influxdata/influxdb-client";
import { describeRetention, type SetupPlan } from "../../setup-plan.js";
import { rollupTimeoutMs } from "../roll-up.js";
import { readServerVersion } from "../server/api.js";
import { checkOrganisation, findGeneration } from "../server/generation.js";
import { planSetupV1 } from "./v1.js";
import { planSetupV2 } from "./v2.js";
import { planSetupV3 } from "./v3.js";
import type { SetupWish } from "./wish.js";

/**
 * Finds out what a server lacks. Nothing is changed before `apply`.
 * @throws FleetmarkError STORE_FAILED saying what to do
 */
export async function planInfluxSetup(wish: SetupWish): Promise<SetupPlan> {
  const version = await readServerVersion(wish.target);
  const target = { ...wish.target, timeoutMs: rollupTimeoutMs };
  const plan = await explainRights(() => {
    const generation = findGeneration(version, target);
    if (generation === "3") return planSetupV3({ ...wish, target });
    if (generation === "2") return planSetupV2({ ...wish, target });
    checkOrganisation(generation, target);
    return planSetupV1({ ...wish, target });
  });
  return {
    server: `InfluxDB ${version ?? "of unknown version"} at ${target.url}`,
    wish: describeRetention(wish.retention),
    notes: plan.notes,
    steps: plan.steps.map((step) => ({ ...step, run: () => explainRights(step.run) })),
  };
}

/** Setting up needs more than a collector does: says so where a server refuses. */
async function explainRights<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    const status = thrown instanceof FleetmarkError && thrown.cause instanceof HttpError ? thrown.cause.statusCode : 0;
    if (!(thrown instanceof FleetmarkError) || (status !== 401 && status !== 403)) throw thrown;
    const hint = "setting up needs an administrator's credentials: hand them in with --admin-token-file";
    throw new FleetmarkError(thrown.code, `${thrown.message.split("; ")[0]}; ${hint}`, { cause: thrown });
  }
}
