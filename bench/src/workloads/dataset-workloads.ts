import { createBatch, createReplayBuffer, fillReplayBuffer, sampleBatch } from "../algorithms/replay-buffer.js";
import { createDataset, qualities } from "../datasets/dataset.js";
import { readSizes } from "../environments/environment.js";
import { createRandom } from "../environments/random.js";
import { createEnvironment, findPlant, referenceEnvironment } from "../environments/registry.js";
import { checkParamNames, readChoice, readCount } from "./params.js";
import { compileInLine, type Workload } from "./workload.js";

const transitions = 2000;

/** Making data: an environment steps, and its transitions go into typed arrays. */
export const datasetMake: Workload = {
  name: "dataset_make",
  category: "environment",
  description: "Making an offline dataset of 2000 transitions of an environment, under behaviour of some quality",
  needsRuntime: false,
  v8Flags: compileInLine,
  async setup({ params, seed }) {
    checkParamNames("dataset_make", params, ["env", "quality"]);
    const env = findPlant(String(params.env)).id;
    const quality = readChoice(params, "quality", qualities);
    let turn = 0;
    return {
      kind: "repeat",
      processed: { unit: "transitions", perIteration: transitions },
      metadata: {},
      iterate: async () => (await createDataset({ env, quality, size: transitions, seed: seed + turn++ })).rewards[0],
      teardown: () => undefined,
    };
  },
};

const bufferLength = 100_000;

/** Drawing batches out of data, as every update begins. */
export const bufferSample: Workload = {
  name: "buffer_sample",
  category: "rl",
  description: "A batch drawn from a replay buffer of 100 000 transitions, with replacement",
  needsRuntime: false,
  v8Flags: compileInLine,
  async setup({ params, seed }) {
    checkParamNames("buffer_sample", params, ["batch"]);
    const size = readCount(params, "batch");
    const environment = createEnvironment(referenceEnvironment, { checkConstraints: false });
    const sizes = readSizes(environment);
    const buffer = createReplayBuffer(bufferLength, sizes);
    fillReplayBuffer(buffer, environment, seed, bufferLength);
    const random = createRandom(seed);
    const batch = createBatch(size, sizes);
    return {
      kind: "repeat",
      processed: { unit: "transitions", perIteration: size },
      metadata: { env: referenceEnvironment, buffer: bufferLength },
      iterate: () => {
        sampleBatch(buffer, random, batch);
        return batch.rewards[0];
      },
      teardown: () => undefined,
    };
  },
};
