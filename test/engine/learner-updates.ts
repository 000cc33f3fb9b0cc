import { cqlDefaults, createCql } from "#bench/algorithms/cql.js";
import { createIql, iqlDefaults } from "#bench/algorithms/iql.js";
import type { Learner } from "#bench/algorithms/learner.js";
import { type Batch, createBatch } from "#bench/algorithms/replay-buffer.js";
import { createTd3Bc, td3BcDefaults } from "#bench/algorithms/td3-bc.js";
import { createRandom, drawNormal, drawUniform } from "#bench/environments/random.js";
import type { Tensor, TensorRuntime, Tensors } from "#bench/runtimes/runtime.js";

/*
 * A few updates of each algorithm, by which runtimes are compared: from equal seeds all must come to equal losses.
 */

const sizes = { observationLength: 12, actionLength: 3 };
const hidden = [32, 32];
const updates = 3;

const makers: Readonly<Record<string, (runtime: TensorRuntime, seed: number) => Learner<Tensors>>> = {
  td3_bc: (runtime, seed) => createTd3Bc(runtime, sizes, seed, { ...td3BcDefaults, policyDelay: 1, hidden }),
  iql: (runtime, seed) => createIql(runtime, sizes, seed, { ...iqlDefaults, hidden }),
  cql: (runtime, seed) => createCql(runtime, sizes, seed, { ...cqlDefaults, hidden }),
};

export const algorithms = Object.keys(makers);

function drawBatch(): Batch {
  const random = createRandom(5);
  const batch = createBatch(32, sizes);
  for (const array of [batch.observations, batch.nextObservations, batch.rewards]) {
    for (let i = 0; i < array.length; i++) array[i] = drawNormal(random);
  }
  for (let i = 0; i < batch.actions.length; i++) batch.actions[i] = 2 * drawUniform(random) - 1;
  for (let i = 0; i < batch.size; i++) batch.continues[i] = i % 8 === 0 ? 0 : 1;
  return batch;
}

interface Read {
  readonly shape: readonly number[];
  readonly data: number[];
}

/** How an algorithm began, the batches with what was drawn for them, and the critics' loss of each update. */
export interface Trace {
  readonly state: Readonly<Record<string, readonly Read[]>>;
  readonly batches: readonly (readonly Read[])[];
  readonly losses: readonly number[];
}

export async function traceUpdates(runtime: TensorRuntime, algorithm: string): Promise<Trace> {
  const readAll = (tensors: readonly Tensor[]): Promise<Read[]> =>
    Promise.all(tensors.map(async (each) => ({ shape: each.shape, data: [...(await runtime.read(each))] })));
  // Of equal seeds, so that one tells what the other draws.
  const [telling, learning] = [makers[algorithm](runtime, 7), makers[algorithm](runtime, 7)];
  const batch = drawBatch();
  const state: Record<string, Read[]> = {};
  for (const [name, tensors] of Object.entries(learning.state)) state[name] = await readAll(tensors);
  const batches: Read[][] = [];
  const losses: number[] = [];
  for (let i = 0; i < updates; i++) {
    const uploaded = telling.upload(batch);
    batches.push(await readAll(uploaded));
    runtime.dispose(uploaded);
    losses.push(await learning.update(batch));
  }
  return { state, batches, losses };
}
