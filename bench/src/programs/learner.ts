import { createCql } from "../algorithms/cql.js";
import { createIql } from "../algorithms/iql.js";
import {
  createBatch,
  createReplayBuffer,
  fillReplayBuffer,
  normalizeObservations,
  sampleBatch,
} from "../algorithms/replay-buffer.js";
import { createTd3Bc, td3BcDefaults } from "../algorithms/td3-bc.js";
import { readSizes, type SpaceSizes } from "../environments/environment.js";
import { createRandom } from "../environments/random.js";
import { createEnvironment, referenceEnvironment } from "../environments/registry.js";
import type { TensorRuntime } from "../runtimes/runtime.js";
import type { Program } from "./program.js";

/** How many transitions the replay buffer holds, which the reference environment fills. */
export const learnerTransitions = 5000;

/**
 * Every update is a full one, actor and targets included: uniform iterations, and more work than the paper's delay of
 * 2.
 */
export const learnerPolicyDelay = 1;

/** What is learned by: each makes a learner whose every update is a full one. */
const algorithms = {
  td3_bc: (runtime: TensorRuntime, sizes: SpaceSizes, seed: number) =>
    createTd3Bc(runtime, sizes, seed, { ...td3BcDefaults, policyDelay: learnerPolicyDelay }),
  iql: (runtime: TensorRuntime, sizes: SpaceSizes, seed: number) => createIql(runtime, sizes, seed),
  cql: (runtime: TensorRuntime, sizes: SpaceSizes, seed: number) => createCql(runtime, sizes, seed),
} as const;

export type Algorithm = keyof typeof algorithms;

/**
 * Makes full updates on batches sampled from a replay buffer that the environment filled. Its value is the critics'
 * loss.
 */
export function createLearnerProgram(runtime: TensorRuntime, algorithm: Algorithm, batchSize: number, seed: number): Program {
  const environment = createEnvironment(referenceEnvironment, { checkConstraints: true });
  const sizes = readSizes(environment);
  const buffer = createReplayBuffer(learnerTransitions, sizes);
  fillReplayBuffer(buffer, environment, seed, learnerTransitions);
  normalizeObservations(buffer);
  const random = createRandom(seed);
  const batch = createBatch(batchSize, sizes);
  const learner = algorithms[algorithm](runtime, sizes, seed);
  const update = (): number | Promise<number> => {
    sampleBatch(buffer, random, batch);
    return learner.update(batch);
  };
  return { iterate: update as Program["iterate"], dispose: learner.dispose };
}
