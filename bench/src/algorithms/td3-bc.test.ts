import { describe, expect, test } from "vitest";
import {
  apply,
  average,
  differentiate,
  drawBatch,
  expectClose,
  type Network,
  read,
  rowOf,
  runtimeNames,
  toNetwork,
  useRuntimes,
} from "../../test/learning.js";
import { createRandom, drawNormal } from "../environments/random.js";
import { disposeAll, type Tensor, type TensorRuntime } from "../runtimes/runtime.js";
import { createAdamState, stepAdam } from "./adam.js";
import { createLayers, createPlainPolicy, forwardPolicy, type Layer, uploadLayers } from "./networks.js";
import { computeActorLoss, computeCriticLoss, createTd3Bc, type Td3BcInputs, type Td3BcState, td3BcDefaults } from "./td3-bc.js";

const loaded = useRuntimes();

const batch = drawBatch();
const random = createRandom(12);
const normal = Float32Array.from({ length: 64 }, () => 4 * drawNormal(random));
const layers = {
  actor: createLayers([4, 8, 8, 2], random),
  critic1: createLayers([6, 8, 8, 1], random),
  critic2: createLayers([6, 8, 8, 1], random),
  actorTarget: createLayers([4, 8, 8, 2], random),
  target1: createLayers([6, 8, 8, 1], random),
  target2: createLayers([6, 8, 8, 1], random),
};

const clip = (value: number, bound: number): number => Math.min(bound, Math.max(-bound, value));
const rows = Array.from({ length: batch.size }, (_, row) => row);

/** Loss of both critics over the batch. */
function referenceCriticLoss(critics: readonly Network[]): number {
  const [actorTarget, target1, target2] = [layers.actorTarget, layers.target1, layers.target2].map(toNetwork);
  const errors = rows.map((row) => {
    const next = rowOf(batch.nextObservations, row, 4);
    const noise = rowOf(normal, row, 2).map((value) => clip(0.2 * value, 0.5));
    const action = apply(actorTarget, next).map((value, i) => clip(Math.tanh(value) + noise[i], 1));
    const value = Math.min(...[target1, target2].map((target) => apply(target, [...next, ...action])[0]));
    const wanted = batch.rewards[row] + 0.99 * batch.continues[row] * value;
    const given = [...rowOf(batch.observations, row, 4), ...rowOf(batch.actions, row, 2)];
    return critics.map((critic) => (apply(critic, given)[0] - wanted) ** 2);
  });
  return average(errors.map(([error]) => error)) + average(errors.map(([, error]) => error));
}

/** Loss of the actor; `scale` is mean |Q| where the gradient is taken, since no gradient flows through it. */
function referenceActorLoss(actor: Network, scale?: number): { loss: number; scale: number } {
  const critic = toNetwork(layers.critic1);
  const outcomes = rows.map((row) => {
    const observation = rowOf(batch.observations, row, 4);
    const chosen = apply(actor, observation).map(Math.tanh);
    const recorded = rowOf(batch.actions, row, 2);
    return {
      value: apply(critic, [...observation, ...chosen])[0],
      imitation: average(chosen.map((value, i) => (value - recorded[i]) ** 2)),
    };
  });
  const mean = scale ?? average(outcomes.map(({ value }) => Math.abs(value)));
  return {
    loss: (-2.5 / mean) * average(outcomes.map(({ value }) => value)) + average(outcomes.map(({ imitation }) => imitation)),
    scale: mean,
  };
}

function uploadInputs(runtime: TensorRuntime): Td3BcInputs {
  const upload = (...networks: Layer[][]): Tensor[] => networks.flatMap((network) => uploadLayers(runtime, network));
  const nothing = { actorFirst: [], actorSecond: [], actorPowers: [], criticsFirst: [], criticsSecond: [], criticsPowers: [] };
  return {
    ...nothing,
    actor: upload(layers.actor),
    critics: upload(layers.critic1, layers.critic2),
    actorTarget: upload(layers.actorTarget),
    criticTargets: upload(layers.target1, layers.target2),
    batch: [
      runtime.createTensor(batch.observations, [32, 4]),
      runtime.createTensor(batch.actions, [32, 2]),
      runtime.createTensor(batch.rewards, [32, 1]),
      runtime.createTensor(batch.nextObservations, [32, 4]),
      runtime.createTensor(batch.continues, [32, 1]),
      runtime.createTensor(normal, [32, 2]),
    ],
  };
}

describe.each(runtimeNames)("on %s", (name) => {
  test("losses and their gradients agree with finite differences of the formulas", () => {
    const runtime = loaded[name];
    const { ops } = runtime;
    const inputs = uploadInputs(runtime);
    const run = runtime.compile((given: Td3BcInputs) => {
      const critics = ops.valueAndGrad((variables) => computeCriticLoss(ops, variables, given, td3BcDefaults), given.critics);
      const critic = given.critics.slice(0, 6);
      const actor = ops.valueAndGrad(
        (variables) => computeActorLoss(ops, variables, critic, given, td3BcDefaults.alpha),
        given.actor,
      );
      return { losses: [critics.value, actor.value], critics: critics.gradients, actor: actor.gradients };
    });
    const outputs = run(inputs);
    const [critics, actor] = [[layers.critic1, layers.critic2].map(toNetwork), toNetwork(layers.actor)];
    const { loss, scale } = referenceActorLoss(actor);
    expectClose(
      outputs.losses.map((tensor) => read(runtime, tensor)[0]),
      [referenceCriticLoss(critics), loss],
      1e-5,
    );
    for (const [i, gradient] of differentiate(critics, () => referenceCriticLoss(critics)).entries()) {
      expectClose(read(runtime, outputs.critics[i]), gradient, 1e-4);
    }
    for (const [i, gradient] of differentiate([actor], () => referenceActorLoss(actor, scale).loss).entries()) {
      expectClose(read(runtime, outputs.actor[i]), gradient, 1e-4);
    }
    disposeAll(runtime, inputs);
    disposeAll(runtime, outputs);
  });

  test("Adam's first two steps are those computed by hand", () => {
    const runtime = loaded[name];
    let parameters: readonly Tensor[] = [runtime.createTensor(Float32Array.of(1), [1])];
    let state = createAdamState(runtime, parameters);
    const run = runtime.compile((given: { parameters: readonly Tensor[]; gradients: readonly Tensor[] } & typeof state) => {
      const stepped = stepAdam(runtime.ops, given.parameters, given.gradients, given, 0.1);
      return { parameters: stepped.parameters, ...stepped.state };
    });
    const step = (gradient: number): number => {
      const gradients = [runtime.createTensor(Float32Array.of(gradient), [1])];
      const outputs = run({ parameters, gradients, ...state });
      disposeAll(runtime, { parameters, gradients, ...state });
      ({ parameters, ...state } = outputs);
      return read(runtime, parameters[0])[0];
    };
    // t = 1: both corrected moments are those of the gradient, so the step is 0.1 × sign: 1 - 0.1.
    // In float32 1 - 0.999 keeps five digits, which leaves the step as many.
    expect(step(0.5)).toBeCloseTo(0.9, 5);
    // t = 2: m = 0.02 / 0.19 = 0.1052632, v = 0.00031225 / 0.001999 = 0.1562031, step 0.1 × 0.1052632 / 0.3952254.
    expect(step(-0.25)).toBeCloseTo(0.9 - 0.0266337, 5);
    disposeAll(runtime, { parameters, ...state });
  });

  test("the critics' loss falls on a fixed batch, the actor moves to the data, and the targets follow slowly", () => {
    const runtime = loaded[name];
    const options = { ...td3BcDefaults, hidden: [32, 32], learningRate: 3e-3, policyDelay: 1 };
    const learner = createTd3Bc(runtime, { observationLength: 4, actionLength: 2 }, 1, options);
    const difference = (state: Td3BcState): number => {
      const [network, target] = [state.critics[0], state.criticTargets[0]].map((tensor) => read(runtime, tensor));
      return Math.max(...network.map((value, i) => Math.abs(value - target[i])));
    };
    expect(difference(learner.state)).toBe(0);
    const losses = Array.from({ length: 200 }, () => learner.update(batch) as number);
    expect(average(losses.slice(-10))).toBeLessThan(0.5 * average(losses.slice(0, 10)));
    expect(difference(learner.state)).toBeGreaterThan(1e-3);
    learner.dispose();
  });

  test("with a policy delay of 2, actor and targets move with every second update only", () => {
    const runtime = loaded[name];
    const learner = createTd3Bc(runtime, { observationLength: 4, actionLength: 2 }, 1, { ...td3BcDefaults, hidden: [8] });
    const snapshot = () =>
      (["critics", "actor", "criticTargets"] as const).map((group) => read(runtime, learner.state[group][0]));
    const beginning = snapshot();
    learner.update(batch);
    const once = snapshot();
    learner.update(batch);
    const twice = snapshot();
    expect(once[0]).not.toEqual(beginning[0]);
    expect(once.slice(1)).toEqual(beginning.slice(1));
    for (const group of [0, 1, 2]) expect(twice[group]).not.toEqual(once[group]);
    learner.dispose();
  });
});

test("both runtimes and plain JavaScript agree on the policy's forward pass", () => {
  const network = createLayers([12, 256, 256, 3], createRandom(5));
  const observations = Float32Array.from({ length: 12 * 16 }, () => drawNormal(random));
  const results = runtimeNames.map((name) => {
    const runtime = loaded[name];
    const inputs = { layers: uploadLayers(runtime, network), x: [runtime.createTensor(observations, [16, 12])] };
    const outputs = runtime.compile((given: typeof inputs) => ({ y: [forwardPolicy(runtime.ops, given.layers, given.x[0])] }))(
      inputs,
    );
    const values = read(runtime, outputs.y[0]);
    disposeAll(runtime, inputs);
    disposeAll(runtime, outputs);
    return values;
  });
  const policy = createPlainPolicy(network);
  const plain = Array.from({ length: 16 }, (_, row) => [...policy(Float64Array.from(rowOf(observations, row, 12)))]).flat();
  for (const values of results) expectClose(values, plain, 1e-5);
});

test("both runtimes agree on every parameter after updates from the same seed", () => {
  const states = runtimeNames.map((name) => {
    const runtime = loaded[name];
    const learner = createTd3Bc(runtime, { observationLength: 4, actionLength: 2 }, 3, { ...td3BcDefaults, hidden: [32, 32] });
    const losses = Array.from({ length: 4 }, () => learner.update(batch) as number);
    const values = Object.entries(learner.state).map(([, tensors]) => tensors.flatMap((tensor) => read(runtime, tensor)));
    learner.dispose();
    return [losses, ...values];
  });
  // Adam's first steps are 3e-4 × sign(gradient) nearly: gradients that round to other signs may differ by a step or
  // two.
  for (const [i, values] of states[0].entries()) expectClose(values, states[1][i], 2e-4);
});

test("networks begin uniform within 1/√inputs", () => {
  const [first, second] = createLayers([100, 400, 1], createRandom(1));
  const widest = (values: Float32Array): number => Math.max(...values.map(Math.abs));
  expect(widest(first.weights)).toBeLessThanOrEqual(Math.fround(0.1));
  expect(widest(first.weights)).toBeGreaterThan(0.099);
  expect(widest(second.weights)).toBeLessThanOrEqual(Math.fround(0.05));
});
