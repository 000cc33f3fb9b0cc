import type { CollectorConfig } from "../config.js";
import { readClockUs } from "../platform/clock.js";
import { planInfluxSetup } from "./influx/setup.js";
import { readInfluxTarget } from "./open.js";
import { describeRetention, type SetupPlan } from "./setup-plan.js";

/**
 * Finds out what a store lacks of what its configuration wishes. Nothing is changed before a step is run.
 * @param adminTokenFile holds credentials that may set up, where the collector's own may not
 * @throws FleetmarkError CONFIG_UNREADABLE, STORE_FAILED saying what to do
 */
export async function planStoreSetup(
  { store, data_dir }: Pick<CollectorConfig, "store" | "data_dir">,
  adminTokenFile?: string,
): Promise<SetupPlan> {
  const { retention } = store;
  if (store.kind === "influxdb") {
    return planInfluxSetup({ target: await readInfluxTarget(store, adminTokenFile), retention, nowUs: readClockUs() });
  }
  const notes = [
    "A data file needs no setup: the collector makes it when it starts, and rolls up and drops every night by itself.",
  ];
  return { server: `the data file in ${data_dir}`, wish: describeRetention(retention), steps: [], notes };
}
