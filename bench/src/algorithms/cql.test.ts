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
import { createRandom, drawNormal, drawUniform } from "../environments/random.js";
import { disposeAll, type Tensor, type TensorRuntime } from "../runtimes/runtime.js";
import {
  type CqlInputs,
  computeCqlActorLoss,
  computeCqlCriticLoss,
  computeTemperatureLoss,
  cqlDefaults,
  createConstants,
  createCql,
} from "./cql.js";
import { createLayers, type Layer, uploadLayers } from "./networks.js";

const loaded = useRuntimes();

const sizes = { observationLength: 4, actionLength: 2 };
const batch = drawBatch();
const random = createRandom(31);
const layers = {
  actor: createLayers([4, 8, 8, 4], random),
  critic1: createLayers([6, 8, 8, 1], random),
  critic2: createLayers([6, 8, 8, 1], random),
  target1: createLayers([6, 8, 8, 1], random),
  target2: createLayers([6, 8, 8, 1], random),
};
const sampledActions = 2;
const drawNoise = (): Float32Array => Float32Array.from({ length: 64 }, () => drawNormal(random));
const drawActions = (): Float32Array => Float32Array.from({ length: 64 }, () => 2 * drawUniform(random) - 1);
const noise = drawNoise();
const nextNoise = drawNoise();
const candidates = Array.from({ length: sampledActions }, () => [drawActions(), drawNoise(), drawNoise()]).flat();
const logTemperature = 0.3;
const options = { discount: 0.99, conservatism: 5 };

const rows = Array.from({ length: batch.size }, (_, row) => row);
const observationOf = (row: number): number[] => rowOf(batch.observations, row, 4);
const nextOf = (row: number): number[] => rowOf(batch.nextObservations, row, 4);
const clip = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** A squashed Gaussian's action and the logarithm of its density, as in Haarnoja et al. 2018. */
function sample(actor: Network, observation: readonly number[], drawn: readonly number[]): { action: number[]; density: number } {
  const output = apply(actor, observation);
  const action: number[] = [];
  let density = 0;
  for (const [i, value] of drawn.entries()) {
    const logDeviation = clip(output[2 + i], -20, 2);
    const squashed = Math.tanh(output[i] + Math.exp(logDeviation) * value);
    action.push(squashed);
    density += -0.5 * value * value - logDeviation - 0.5 * Math.log(2 * Math.PI) - Math.log(1 - squashed * squashed + 1e-6);
  }
  return { action, density };
}

const evaluate = (critic: Network, observation: readonly number[], action: readonly number[]): number =>
  apply(critic, [...observation, ...action])[0];
const networks = () => ({
  actor: toNetwork(layers.actor),
  critics: [layers.critic1, layers.critic2].map(toNetwork),
  targets: [layers.target1, layers.target2].map(toNetwork),
});

/** By Kumar et al. 2020, equation 4 and appendix F. */
function referenceCriticLoss(critics: readonly Network[]): number {
  const { actor, targets } = networks();
  const losses = critics.map((critic) => {
    const errors = rows.map((row) => {
      const next = sample(actor, nextOf(row), rowOf(nextNoise, row, 2));
      const best = Math.min(...targets.map((target) => evaluate(target, nextOf(row), next.action)));
      const wanted = batch.rewards[row] + 0.99 * batch.continues[row] * best;
      const value = evaluate(critic, observationOf(row), rowOf(batch.actions, row, 2));
      const weighed = candidates.map((drawn, i) => {
        const own = rowOf(drawn, row, 2);
        if (i % 3 === 0) return evaluate(critic, observationOf(row), own) + 2 * Math.log(2);
        const { action, density } = sample(actor, i % 3 === 1 ? observationOf(row) : nextOf(row), own);
        return evaluate(critic, observationOf(row), action) - density;
      });
      const sum = Math.log(weighed.reduce((total, each) => total + Math.exp(each), 0));
      return (value - wanted) ** 2 + 5 * (sum - value);
    });
    return average(errors);
  });
  return losses[0] + losses[1];
}

function referenceActorLoss(actor: Network): number {
  const { critics } = networks();
  return average(
    rows.map((row) => {
      const { action, density } = sample(actor, observationOf(row), rowOf(noise, row, 2));
      const value = Math.min(...critics.map((critic) => evaluate(critic, observationOf(row), action)));
      return Math.exp(logTemperature) * density - value;
    }),
  );
}

function referenceTemperatureLoss(logarithm: number): number {
  const { actor } = networks();
  const densities = rows.map((row) => sample(actor, observationOf(row), rowOf(noise, row, 2)).density);
  return -Math.exp(logarithm) * (average(densities) - 2);
}

function uploadInputs(runtime: TensorRuntime): CqlInputs {
  const upload = (...all: Layer[][]): Tensor[] => all.flatMap((network) => uploadLayers(runtime, network));
  const given = [
    [batch.observations, 4],
    [batch.actions, 2],
    [batch.rewards, 1],
    [batch.nextObservations, 4],
    [batch.continues, 1],
    ...[noise, nextNoise, ...candidates].map((drawn) => [drawn, 2] as const),
  ] as const;
  return {
    actor: upload(layers.actor),
    critics: upload(layers.critic1, layers.critic2),
    criticTargets: upload(layers.target1, layers.target2),
    temperature: [runtime.createTensor(Float32Array.of(logTemperature), [])],
    constants: createConstants(runtime, 2),
    batch: given.map(([array, width]) => runtime.createTensor(array, [32, width])),
  } as unknown as CqlInputs;
}

describe.each(runtimeNames)("on %s", (name) => {
  test("losses and their gradients agree with finite differences of the formulas", () => {
    const runtime = loaded[name];
    const { ops } = runtime;
    const inputs = uploadInputs(runtime);
    const run = runtime.compile((given: CqlInputs) => {
      const critics = ops.valueAndGrad((c) => computeCqlCriticLoss(ops, c, given, options), given.critics);
      const actor = ops.valueAndGrad((a) => computeCqlActorLoss(ops, a, given), given.actor);
      const temperature = ops.valueAndGrad(([t]) => computeTemperatureLoss(ops, t, given), given.temperature);
      return {
        losses: [critics.value, actor.value, temperature.value],
        critics: critics.gradients,
        actor: actor.gradients,
        temperature: temperature.gradients,
      };
    });
    const outputs = run(inputs);
    const { actor, critics } = networks();
    expectClose(
      outputs.losses.map((tensor) => read(runtime, tensor)[0]),
      [referenceCriticLoss(critics), referenceActorLoss(actor), referenceTemperatureLoss(logTemperature)],
      1e-4,
    );
    const criticGradients = differentiate(critics, () => referenceCriticLoss(critics));
    for (const [i, gradient] of criticGradients.entries()) expectClose(read(runtime, outputs.critics[i]), gradient, 3e-4);
    const actorGradients = differentiate([actor], () => referenceActorLoss(actor));
    for (const [i, gradient] of actorGradients.entries()) expectClose(read(runtime, outputs.actor[i]), gradient, 3e-4);
    const slope = (referenceTemperatureLoss(logTemperature + 1e-6) - referenceTemperatureLoss(logTemperature - 1e-6)) / 2e-6;
    expectClose(read(runtime, outputs.temperature[0]), [slope], 1e-4);
    disposeAll(runtime, inputs);
    disposeAll(runtime, outputs);
  }, 60_000);

  test("values the data's actions above others after learning on a fixed batch", () => {
    const runtime = loaded[name];
    const small = { ...cqlDefaults, hidden: [32, 32], criticRate: 3e-3, sampledActions };
    const learner = createCql(runtime, sizes, 1, small);
    const losses = Array.from({ length: 200 }, () => learner.update(batch) as number);
    // The conservative term lowers the loss below that of any critic without it.
    expect(average(losses.slice(-10))).toBeLessThan(average(losses.slice(0, 10)) - 1);
    expect(losses.every(Number.isFinite)).toBe(true);
    learner.dispose();
  }, 60_000);
});
