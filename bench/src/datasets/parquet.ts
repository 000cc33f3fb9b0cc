import { parquetWriteBuffer } from "hyparquet-writer";
import { createEnvironment } from "../environments/registry.js";
import type { Dataset } from "./dataset.js";

/** Takes a column out of rows of so many numbers. */
function takeColumn(rows: Float32Array, width: number, index: number): Float32Array {
  return Float32Array.from({ length: rows.length / width }, (_, row) => rows[row * width + index]);
}

const toTruth = (bytes: Uint8Array): boolean[] => Array.from(bytes, (byte) => byte === 1);

/**
 * Returns a dataset as the bytes of a Parquet file (Apache Parquet format 2), a column for each number, which is called
 * by what the environment calls it: `observation.temperature`, `action.coolant_flow_setpoint`. The file's own metadata
 * say what it is of.
 */
export function encodeParquet(data: Dataset): Uint8Array {
  const { observationSpace, actionSpace } = createEnvironment(data.env, { checkConstraints: true });
  const { observationLength, actionLength } = data;
  const spread = (prefix: string, names: readonly string[], rows: Float32Array, width: number) =>
    names.map((name, i) => ({ name: `${prefix}.${name}`, data: takeColumn(rows, width, i), type: "FLOAT" as const }));
  const columnData = [
    ...spread("observation", observationSpace.names, data.observations, observationLength),
    ...spread("action", actionSpace.names, data.actions, actionLength),
    { name: "reward", data: data.rewards, type: "FLOAT" as const },
    ...spread("next_observation", observationSpace.names, data.nextObservations, observationLength),
    { name: "terminal", data: toTruth(data.terminals), type: "BOOLEAN" as const },
    { name: "timeout", data: toTruth(data.timeouts), type: "BOOLEAN" as const },
  ];
  const facts = { env: data.env, quality: data.quality, seed: String(data.seed), transitions: String(data.size) };
  const kvMetadata = Object.entries(facts).map(([key, value]) => ({ key: `fleetmark.${key}`, value }));
  return new Uint8Array(parquetWriteBuffer({ columnData, kvMetadata }));
}
