import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { cqlDefaults, createCql } from "#bench/algorithms/cql.js";
import { createIql, iqlDefaults } from "#bench/algorithms/iql.js";
import { createPlainPolicy, type Layer } from "#bench/algorithms/networks.js";
import { createBatch, type Normalization, normalizeObservations, sampleBatch } from "#bench/algorithms/replay-buffer.js";
import { createTd3Bc, td3BcDefaults } from "#bench/algorithms/td3-bc.js";
import { createDataset, createFilledBuffer } from "#bench/datasets/dataset.js";
import { readSizes } from "#bench/environments/environment.js";
import { createRandom } from "#bench/environments/random.js";
import { createEnvironment } from "#bench/environments/registry.js";
import { loadRuntime } from "#bench/runtimes/registry.js";
import type { Tensor, TensorRuntime } from "#bench/runtimes/runtime.js";
import { drawCurves } from "./draw-curves.js";

/**
 * `make learning`: whether the algorithms learn. Each is trained on a dataset of mixed quality, and its policy then plays episodes that it never saw. The last line is one JSON object.
 */
const { values } = parseArgs({
  options: {
    env: { type: "string", default: "HVACControl-v0" },
    updates: { type: "string", default: "2000" },
    transitions: { type: "string", default: "20000" },
    hidden: { type: "string", default: "64" },
    runtime: { type: "string", default: "tfjs-wasm" },
    picture: { type: "string" },
    algorithms: { type: "string", default: "td3_bc,iql,cql" },
  },
});
const updates = Number(values.updates);
const hidden = [Number(values.hidden), Number(values.hidden)];
const seed = 1;
const evaluatedEpisodes = 5;
const looks = 5;

const environment = createEnvironment(values.env, { checkConstraints: true });
const sizes = readSizes(environment);

async function readLayers(runtime: TensorRuntime, actor: readonly Tensor[]): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (let i = 0; i < actor.length; i += 2) {
    const [inputs, outputs] = actor[i].shape;
    const [weights, bias] = [await runtime.read(actor[i]), await runtime.read(actor[i + 1])];
    layers.push({ inputs, outputs, weights: Float32Array.from(weights), bias: Float32Array.from(bias) });
  }
  return layers;
}

/** What episodes came to: their mean return, and how many steps they lasted. */
interface Played {
  readonly return: number;
  readonly steps: number;
}

function play(choose: (observation: Float64Array, action: Float64Array) => void): Played {
  const action = new Float64Array(sizes.actionLength);
  let total = 0;
  let steps = 0;
  for (let episode = 0; episode < evaluatedEpisodes; episode++) {
    let observation = environment.reset(1_000_000 + episode).observation;
    for (;;) {
      choose(observation, action);
      const outcome = environment.step(action);
      total += outcome.reward;
      steps++;
      observation = outcome.observation;
      if (outcome.terminated || outcome.truncated) break;
    }
  }
  return { return: Number((total / evaluatedEpisodes).toFixed(1)), steps: steps / evaluatedEpisodes };
}

/** Plays with a policy; where its network gives deviations too, its means count. */
function evaluate(layers: readonly Layer[], { means, scales }: Normalization): Played {
  const policy = createPlainPolicy(layers);
  const input = new Float64Array(sizes.observationLength);
  return play((observation, action) => {
    for (let i = 0; i < input.length; i++) input[i] = (observation[i] - means[i]) / scales[i];
    action.set(policy(input).subarray(0, action.length));
  });
}

function createLearner(name: string, runtime: TensorRuntime) {
  if (name === "iql") return createIql(runtime, sizes, seed, { ...iqlDefaults, hidden });
  if (name === "cql") return createCql(runtime, sizes, seed, { ...cqlDefaults, hidden, sampledActions: 3 });
  return createTd3Bc(runtime, sizes, seed, { ...td3BcDefaults, hidden });
}

const dataset = await createDataset({ env: values.env, quality: "mixed", size: Number(values.transitions), seed });
const data = dataset.returns.reduce((sum, each) => sum + each, 0) / dataset.returns.length;
const buffer = createFilledBuffer(dataset);
const normalization = normalizeObservations(buffer);
process.stdout.write(`${values.env}: ${buffer.count} transitions, mean return of their episodes ${data.toFixed(1)}\n`);
const controller = play((_, action) => environment.suggestAction(action));
const curves: Record<string, Played[]> = {};
for (const name of values.algorithms.split(",")) {
  const runtime = await loadRuntime(values.runtime);
  const learner = createLearner(name, runtime);
  const random = createRandom(seed + 2);
  const batch = createBatch(256, sizes);
  const curve = [evaluate(await readLayers(runtime, learner.state.actor), normalization)];
  for (let update = 1; update <= updates; update++) {
    sampleBatch(buffer, random, batch);
    await learner.update(batch);
    if (update % Math.ceil(updates / looks) !== 0) continue;
    const played = evaluate(await readLayers(runtime, learner.state.actor), normalization);
    curve.push(played);
    process.stdout.write(`${name} after ${update} updates: ${played.return} in ${played.steps} steps\n`);
  }
  learner.dispose();
  curves[name] = curve;
}
if (values.picture !== undefined) {
  const returns = Object.fromEntries(Object.entries(curves).map(([name, curve]) => [name, curve.map((each) => each.return)]));
  const looked = Array.from({ length: looks + 1 }, (_, i) => i * Math.ceil(updates / looks));
  writeFileSync(values.picture, drawCurves({ env: values.env, data, controller: controller.return, updates: looked, returns }));
}
const learned = Object.values(curves).every((curve) => (curve.at(-1)?.return ?? Number.NEGATIVE_INFINITY) > data);
process.stdout.write(
  `${JSON.stringify({ env: values.env, updates, hidden, data: Number(data.toFixed(1)), controller, curves, learned })}\n`,
);
if (!learned) process.exitCode = 1;
