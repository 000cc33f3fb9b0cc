import { FleetmarkError } from "@fleetmark/shared/errors";
import { stepAdam } from "../algorithms/adam.js";
import { computeCqlCriticLoss, cqlDefaults, createCql } from "../algorithms/cql.js";
import { computeIqlCriticLoss, createIql, iqlDefaults } from "../algorithms/iql.js";
import { descend, type Learner, type Optimized, type UpdateInputs } from "../algorithms/learner.js";
import {
  type Batch,
  createBatch,
  createReplayBuffer,
  fillReplayBuffer,
  normalizeObservations,
  sampleBatch,
} from "../algorithms/replay-buffer.js";
import { computeCriticLoss, createTd3Bc, td3BcDefaults } from "../algorithms/td3-bc.js";
import { readSizes, type SpaceSizes } from "../environments/environment.js";
import { createRandom } from "../environments/random.js";
import { createEnvironment, referenceEnvironment } from "../environments/registry.js";
import type { Tensor, TensorOps, TensorRuntime, Tensors } from "../runtimes/runtime.js";
import { type Iterate, type Program, readAndFree } from "./program.js";

/** How many transitions the replay buffer holds, which the reference environment fills. */
export const learnerTransitions = 5000;

/**
 * Every update is a full one, actor and targets included: uniform iterations, and more work than the paper's delay of
 * 2.
 */
export const learnerPolicyDelay = 1;

/** What a loss of critics is given: networks, optimisers and a batch on the device. */
type Inputs = UpdateInputs<Optimized<"critics">>;

/** A learner, and its critics' loss by what its update is given. */
interface Studied {
  readonly learner: Learner<Optimized<"critics">>;
  readonly criticRate: number;
  readonly loss: (ops: TensorOps, critics: readonly Tensor[], inputs: Inputs) => Tensor;
}

/** Forgets which state it is of: a learner's loss is given that learner's state alone. */
function study<S extends Optimized<"critics">>(
  learner: Learner<S>,
  criticRate: number,
  loss: (ops: TensorOps, critics: readonly Tensor[], inputs: UpdateInputs<S>) => Tensor,
): Studied {
  return { learner, criticRate, loss: loss as unknown as Studied["loss"] };
}

/** What is learned by: each makes a learner whose every update is a full one. */
const makers = {
  td3_bc(runtime: TensorRuntime, sizes: SpaceSizes, seed: number): Studied {
    const options = { ...td3BcDefaults, policyDelay: learnerPolicyDelay };
    return study(createTd3Bc(runtime, sizes, seed, options), options.learningRate, (ops, critics, inputs) =>
      computeCriticLoss(ops, critics, inputs, options),
    );
  },
  iql(runtime: TensorRuntime, sizes: SpaceSizes, seed: number): Studied {
    return study(createIql(runtime, sizes, seed), iqlDefaults.learningRate, (ops, critics, inputs) =>
      computeIqlCriticLoss(ops, critics, inputs.value, inputs, iqlDefaults.discount),
    );
  },
  cql(runtime: TensorRuntime, sizes: SpaceSizes, seed: number): Studied {
    return study(createCql(runtime, sizes, seed), cqlDefaults.criticRate, (ops, critics, inputs) =>
      computeCqlCriticLoss(ops, critics, inputs, cqlDefaults),
    );
  },
} as const;

export const algorithms = ["td3_bc", "iql", "cql"] as const satisfies readonly (keyof typeof makers)[];
export type Algorithm = (typeof algorithms)[number];

/** A learner, and what draws batches from a replay buffer that the reference environment filled. */
function prepareLearning(runtime: TensorRuntime, algorithm: Algorithm, batchSize: number, seed: number) {
  const environment = createEnvironment(referenceEnvironment, { checkConstraints: true });
  const sizes = readSizes(environment);
  const buffer = createReplayBuffer(learnerTransitions, sizes);
  fillReplayBuffer(buffer, environment, seed, learnerTransitions);
  normalizeObservations(buffer);
  const random = createRandom(seed);
  const batch = createBatch(batchSize, sizes);
  const draw = (): Batch => {
    sampleBatch(buffer, random, batch);
    return batch;
  };
  return { ...makers[algorithm](runtime, sizes, seed), draw };
}

/** @throws FleetmarkError BENCHMARK_FAILED: what a runtime computes wrongly is not to be timed */
function checkLoss(loss: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new FleetmarkError("BENCHMARK_FAILED", `the loss became ${loss}`);
}

/** Makes full updates on batches that are drawn anew. Its value is the critics' loss. */
export function createLearnerProgram(runtime: TensorRuntime, algorithm: Algorithm, batchSize: number, seed: number): Program {
  const { learner, draw } = prepareLearning(runtime, algorithm, batchSize, seed);
  const update = (): number | Promise<number> => {
    const loss = learner.update(draw());
    return typeof loss === "number" ? checkLoss(loss) : loss.then(checkLoss);
  };
  return { iterate: update as Iterate, dispose: learner.dispose };
}

/**
 * What an update is made of. `value`: the critics' gradients, applied; `gradients`: computed alone; `application`: by
 * Adam.
 */
export const updateParts = ["value", "gradients", "application"] as const;
export type UpdatePart = (typeof updateParts)[number];

/** Returns what a part computes, of which the first list is the one that is computed last. */
function definePart(ops: TensorOps, part: UpdatePart, { loss, criticRate }: Studied) {
  return (inputs: Inputs & { readonly gradients: readonly Tensor[] }): { last: readonly Tensor[] } & Tensors => {
    const lossOf = (critics: readonly Tensor[]): Tensor => loss(ops, critics, inputs);
    if (part === "gradients") {
      const { value, gradients } = ops.valueAndGrad(lossOf, inputs.critics);
      return { last: gradients, loss: [value] };
    }
    if (part === "value") {
      const { loss: value, parameters, changed } = descend(ops, inputs, "critics", lossOf, criticRate);
      return { last: parameters, first: changed.criticsFirst, second: changed.criticsSecond, loss: [value] };
    }
    const memory = { first: inputs.criticsFirst, second: inputs.criticsSecond, powers: inputs.criticsPowers };
    const { parameters, state } = stepAdam(ops, inputs.critics, inputs.gradients, memory, criticRate);
    return { last: parameters, ...state };
  };
}

/** Makes one part of an update of the critics, on a batch that stays on the device. The state stays as it began. */
export function createUpdatePartProgram(
  runtime: TensorRuntime,
  algorithm: Algorithm,
  part: UpdatePart,
  batchSize: number,
  seed: number,
): Program {
  const studied = prepareLearning(runtime, algorithm, batchSize, seed);
  const { learner, draw } = studied;
  const run = runtime.compile(definePart(runtime.ops, part, studied));
  const batch = learner.upload(draw());
  const gradients = learner.state.critics.map(({ shape }) => {
    const size = shape.reduce((product, length) => product * length, 1);
    return runtime.createTensor(new Float32Array(size).fill(1e-3), shape);
  });
  const iterate = (): number | Promise<number> => {
    const outputs = run({ ...learner.state, batch, gradients });
    return readAndFree(runtime, outputs, outputs.last[0]);
  };
  const dispose = (): void => {
    runtime.dispose(batch);
    runtime.dispose(gradients);
    learner.dispose();
  };
  return { iterate: iterate as Iterate, dispose };
}
