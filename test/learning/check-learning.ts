import { parseArgs } from "node:util";
import { cqlDefaults, createCql } from "#bench/algorithms/cql.js";
import { createIql, iqlDefaults } from "#bench/algorithms/iql.js";
import { createPlainPolicy, type Layer } from "#bench/algorithms/networks.js";
import {
  createBatch,
  createReplayBuffer,
  type Normalization,
  normalizeObservations,
  pushTransition,
  type ReplayBuffer,
  sampleBatch,
} from "#bench/algorithms/replay-buffer.js";
import { createTd3Bc, td3BcDefaults } from "#bench/algorithms/td3-bc.js";
import { readSizes } from "#bench/environments/environment.js";
import { createRandom, drawNormal, drawUniform } from "#bench/environments/random.js";
import { createEnvironment } from "#bench/environments/registry.js";
import { loadRuntime } from "#bench/runtimes/registry.js";
import type { Tensor, TensorRuntime } from "#bench/runtimes/runtime.js";

/**
 * `make learning`: whether the algorithms learn. Each is trained on data of mixed quality, of chance and of a noisy
 * controller in turns, and its policy then plays episodes that it never saw. The last line is one JSON object.
 */
const { values } = parseArgs({
  options: {
    env: { type: "string", default: "HVACControl-v0" },
    updates: { type: "string", default: "2000" },
    transitions: { type: "string", default: "20000" },
    hidden: { type: "string", default: "64" },
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

/** Standard deviations of the noise on the controller's actions, by episode in turns; infinite: chance alone. */
const qualities = [Number.POSITIVE_INFINITY, 0.3, 0.1];

/** Fills a buffer with episodes of mixed quality. Returns their mean return. */
function fillMixed(buffer: ReplayBuffer, transitions: number): number {
  const random = createRandom(seed);
  const action = new Float64Array(sizes.actionLength);
  const observation = new Float64Array(sizes.observationLength);
  const returns: number[] = [];
  for (let episode = 0; buffer.count < transitions; episode++) {
    const noise = qualities[episode % qualities.length];
    observation.set(environment.reset(seed + episode).observation);
    let total = 0;
    for (;;) {
      environment.suggestAction(action);
      for (let i = 0; i < action.length; i++) {
        const drawn = noise === Number.POSITIVE_INFINITY ? 2 * drawUniform(random) - 1 : action[i] + noise * drawNormal(random);
        action[i] = Math.min(1, Math.max(-1, drawn));
      }
      const outcome = environment.step(action);
      pushTransition(buffer, observation, action, outcome);
      total += outcome.reward;
      if (outcome.terminated || outcome.truncated || buffer.count >= transitions) break;
      observation.set(outcome.observation);
    }
    returns.push(total);
  }
  return returns.reduce((sum, each) => sum + each, 0) / returns.length;
}

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

const buffer = createReplayBuffer(Number(values.transitions), sizes);
const data = fillMixed(buffer, buffer.size);
const normalization = normalizeObservations(buffer);
process.stdout.write(`${values.env}: ${buffer.count} transitions, mean return of their episodes ${data.toFixed(1)}\n`);
const controller = play((_, action) => environment.suggestAction(action));
const curves: Record<string, Played[]> = {};
for (const name of values.algorithms.split(",")) {
  const runtime = await loadRuntime("tfjs-wasm");
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
const learned = Object.values(curves).every((curve) => (curve.at(-1)?.return ?? Number.NEGATIVE_INFINITY) > data);
process.stdout.write(
  `${JSON.stringify({ env: values.env, updates, hidden, data: Number(data.toFixed(1)), controller, curves, learned })}\n`,
);
if (!learned) process.exitCode = 1;
