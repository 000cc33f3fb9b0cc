import { errorMessage } from "@fleetmark/shared/errors";
import { ownMeasurements } from "./answers.js";
import { isNotFound } from "./server/api.js";
import type { InfluxServer } from "./server/connection.js";
import { describeFailure } from "./server/failures.js";
import { checkOrganisation } from "./server/generation.js";
import { type PolicyName, policies, quoteName, quoteText } from "./server/policies.js";
import { type InfluxTarget, nameBucket } from "./server/target.js";

/**
 * What a server must show before anything is acknowledged: that it is the InfluxDB that the configuration is made for,
 * that a point comes back with the time that it was given, and that what is kept longer may be written where it is.
 */

const measurement = ownMeasurements.check;
const host = "fleetmark-check";
const howToMap = "run `fleetmark store setup`, which maps it, or give the token permission to read it";

async function writePoint(server: InfluxServer, target: InfluxTarget, timeUs: number, policy?: PolicyName): Promise<void> {
  const outcome = await server.write([`${measurement},host=${host} value=${timeUs} ${timeUs}`], policy);
  if (outcome.kind === "committed") return;
  const reason = outcome.kind === "refused" ? outcome.reason : "larger than the server takes";
  throw describeFailure(target, `${nameBucket(target.database, policy)} does not take a point of ${measurement}: ${reason}`);
}

/** A server that reads times otherwise acknowledges all the same. */
async function readPoint(server: InfluxServer, target: InfluxTarget, timeUs: number): Promise<void> {
  const condition = `time = ${timeUs}u AND "host" = ${quoteText(host)}`;
  const found = await server
    .query(`SELECT "value" FROM ${quoteName(measurement)} WHERE ${condition}`)
    .catch((thrown: unknown) => {
      if (target.org === "" || !/(database|policy) not found/.test(errorMessage(thrown))) throw thrown;
      throw describeFailure(
        target,
        `the bucket ${JSON.stringify(target.database)} is there, and InfluxQL does not find it; ${howToMap}`,
      );
    });
  if (Number(found[0]?.values[0]?.[1]) === timeUs) return;
  const shown = new Date(timeUs / 1e3).toISOString();
  throw describeFailure(target, `a point of ${shown} was taken and does not come back by InfluxQL at that time`);
}

/** Says which credentials or mapping keep a place that is there from being used; false where there is none. */
async function provePlace(server: InfluxServer, target: InfluxTarget, timeUs: number, policy: PolicyName): Promise<boolean> {
  const bucket = nameBucket(target.database, policy);
  try {
    await writePoint(server, target, timeUs, policy);
  } catch (thrown) {
    if (isNotFound(thrown)) return false;
    throw thrown;
  }
  if (await server.hasPolicy(policy)) return true;
  const name = `${target.database}/${policies[policy]}`;
  throw describeFailure(
    target,
    `it has the bucket ${JSON.stringify(bucket)}, and InfluxQL does not find it as ${name}; ${howToMap}`,
  );
}

/**
 * Writes a point to every place that `fleetmark store setup` makes.
 * @returns whether all are there
 * @throws FleetmarkError STORE_FAILED naming what keeps one that is there from being used
 */
export async function provePlaces(server: InfluxServer, target: InfluxTarget, timeUs: number): Promise<boolean> {
  if ((await server.identify()) === "3") return false;
  const isV1 = (await server.identify()) === "1";
  let all = true;
  for (const policy of ["records", "hourly"] as const) {
    // InfluxDB 1.x knows one kind of right for all of a database.
    if (isV1 && !(await server.hasPolicy(policy))) all = false;
    else if (!(await provePlace(server, target, timeUs, policy))) all = false;
  }
  return all;
}

/** @throws FleetmarkError STORE_FAILED saying what to do */
export async function proveServer(server: InfluxServer, target: InfluxTarget, timeUs: number): Promise<void> {
  checkOrganisation(await server.identify(), target);
  await writePoint(server, target, timeUs);
  await readPoint(server, target, timeUs);
  await provePlaces(server, target, timeUs);
}
