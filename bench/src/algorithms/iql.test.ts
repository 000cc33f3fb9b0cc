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
import { createRandom } from "../environments/random.js";
import { disposeAll, type Tensor, type TensorRuntime } from "../runtimes/runtime.js";
import { computeIqlActorLoss, computeIqlCriticLoss, computeValueLoss, createIql, type IqlInputs, iqlDefaults } from "./iql.js";
import { createLayers, type Layer, uploadLayers } from "./networks.js";

const loaded = useRuntimes();

const sizes = { observationLength: 4, actionLength: 2 };
const batch = drawBatch();
const random = createRandom(21);
const layers = {
  actor: createLayers([4, 8, 8, 2], random),
  value: createLayers([4, 8, 8, 1], random),
  critic1: createLayers([6, 8, 8, 1], random),
  critic2: createLayers([6, 8, 8, 1], random),
  target1: createLayers([6, 8, 8, 1], random),
  target2: createLayers([6, 8, 8, 1], random),
};
const rows = Array.from({ length: batch.size }, (_, row) => row);
const observationOf = (row: number): number[] => rowOf(batch.observations, row, 4);
const actionOf = (row: number): number[] => rowOf(batch.actions, row, 2);

/** The formulas, by Kostrikov et al. 2021, equations 5 to 7. */
function valueActions(row: number): number {
  const given = [...observationOf(row), ...actionOf(row)];
  return Math.min(...[layers.target1, layers.target2].map((target) => apply(toNetwork(target), given)[0]));
}

function referenceValueLoss(value: Network): number {
  return average(
    rows.map((row) => {
      const above = valueActions(row) - apply(value, observationOf(row))[0];
      return Math.abs(iqlDefaults.expectile - (above < 0 ? 1 : 0)) * above * above;
    }),
  );
}

function referenceCriticLoss(critics: readonly Network[]): number {
  const value = toNetwork(layers.value);
  const errors = rows.map((row) => {
    const next = apply(value, rowOf(batch.nextObservations, row, 4))[0];
    const wanted = batch.rewards[row] + 0.99 * batch.continues[row] * next;
    return critics.map((critic) => (apply(critic, [...observationOf(row), ...actionOf(row)])[0] - wanted) ** 2);
  });
  return average(errors.map(([error]) => error)) + average(errors.map(([, error]) => error));
}

/** @param beta large enough for some weights to be clipped */
function referenceActorLoss(actor: Network, beta: number): number {
  const value = toNetwork(layers.value);
  const errors = rows.flatMap((row) => {
    const weight = Math.min(100, Math.exp(beta * (valueActions(row) - apply(value, observationOf(row))[0])));
    const recorded = actionOf(row);
    return apply(actor, observationOf(row)).map((out, i) => weight * (Math.tanh(out) - recorded[i]) ** 2);
  });
  return average(errors);
}

function uploadInputs(runtime: TensorRuntime): IqlInputs {
  const upload = (...networks: Layer[][]): Tensor[] => networks.flatMap((network) => uploadLayers(runtime, network));
  const moments = ["actor", "value", "critics"].flatMap((of) =>
    ["First", "Second", "Powers"].map((part) => [`${of}${part}`, []]),
  );
  return {
    ...(Object.fromEntries(moments) as unknown as Pick<IqlInputs, "actorFirst">),
    actor: upload(layers.actor),
    value: upload(layers.value),
    critics: upload(layers.critic1, layers.critic2),
    criticTargets: upload(layers.target1, layers.target2),
    batch: [
      runtime.createTensor(batch.observations, [32, 4]),
      runtime.createTensor(batch.actions, [32, 2]),
      runtime.createTensor(batch.rewards, [32, 1]),
      runtime.createTensor(batch.nextObservations, [32, 4]),
      runtime.createTensor(batch.continues, [32, 1]),
    ],
  } as unknown as IqlInputs;
}

describe.each(runtimeNames)("on %s", (name) => {
  test.each([3, 40])("losses and their gradients agree with finite differences of the formulas, beta %i", (beta) => {
    const runtime = loaded[name];
    const { ops } = runtime;
    const inputs = uploadInputs(runtime);
    const run = runtime.compile((given: IqlInputs) => {
      const value = ops.valueAndGrad((v) => computeValueLoss(ops, v, given, iqlDefaults.expectile), given.value);
      const critics = ops.valueAndGrad((c) => computeIqlCriticLoss(ops, c, given.value, given, 0.99), given.critics);
      const actor = ops.valueAndGrad(
        (a) => computeIqlActorLoss(ops, a, given.value, given, { beta, weightClip: 100 }),
        given.actor,
      );
      return {
        losses: [value.value, critics.value, actor.value],
        value: value.gradients,
        critics: critics.gradients,
        actor: actor.gradients,
      };
    });
    const outputs = run(inputs);
    const [value, actor] = [layers.value, layers.actor].map(toNetwork);
    const critics = [layers.critic1, layers.critic2].map(toNetwork);
    expectClose(
      outputs.losses.map((tensor) => read(runtime, tensor)[0]),
      [referenceValueLoss(value), referenceCriticLoss(critics), referenceActorLoss(actor, beta)],
      1e-4,
    );
    const check = (gradients: readonly Tensor[], expected: number[][]): void => {
      for (const [i, gradient] of expected.entries()) expectClose(read(runtime, gradients[i]), gradient, 2e-4);
    };
    check(
      outputs.value,
      differentiate([value], () => referenceValueLoss(value)),
    );
    check(
      outputs.critics,
      differentiate(critics, () => referenceCriticLoss(critics)),
    );
    check(
      outputs.actor,
      differentiate([actor], () => referenceActorLoss(actor, beta)),
    );
    disposeAll(runtime, inputs);
    disposeAll(runtime, outputs);
  });

  test("the critics' loss falls on a fixed batch, and the policy comes nearer to the actions", () => {
    const runtime = loaded[name];
    const learner = createIql(runtime, sizes, 1, { ...iqlDefaults, hidden: [32, 32], learningRate: 3e-3 });
    const losses = Array.from({ length: 200 }, () => learner.update(batch) as number);
    expect(average(losses.slice(-10))).toBeLessThan(0.5 * average(losses.slice(0, 10)));
    learner.dispose();
  });
});

test("both runtimes agree on every parameter after updates from the same seed", () => {
  const states = runtimeNames.map((name) => {
    const runtime = loaded[name];
    const learner = createIql(runtime, sizes, 3, { ...iqlDefaults, hidden: [32, 32] });
    const losses = Array.from({ length: 4 }, () => learner.update(batch) as number);
    const values = Object.values(learner.state).map((tensors) => tensors.flatMap((tensor) => read(runtime, tensor)));
    learner.dispose();
    return [losses, ...values];
  });
  for (const [i, values] of states[0].entries()) expectClose(values, states[1][i], 2e-4);
});
