import { createAdvance } from "../environments/process-environment.js";
import { createRandom, drawNormal } from "../environments/random.js";
import { createEnvironment, findPlant } from "../environments/registry.js";
import { computeCost, findViolation } from "../environments/safety.js";
import type { Plant } from "../plants/plant.js";
import { checkParamNames, readChoice, readCount } from "./params.js";
import { compileInLine, type Iterate, type Workload } from "./workload.js";

const parts = ["reset", "transition", "reward"] as const;

/** Observations and actions of an episode under the environment's own controller, that work is done on. */
interface Recording {
  readonly observations: readonly Float64Array[];
  readonly actions: readonly Float64Array[];
}

const recorded = 256;

function record(id: string, seed: number): Recording {
  const environment = createEnvironment(id, { checkConstraints: true });
  const random = createRandom(seed);
  const [observations, actions]: [Float64Array[], Float64Array[]] = [[], []];
  environment.reset(seed);
  for (let i = 0; i < recorded; i++) {
    const action = new Float64Array(environment.actionSpace.low.length);
    environment.suggestAction(action);
    for (let k = 0; k < action.length; k++) action[k] = Math.min(1, Math.max(-1, action[k] + 0.05 * drawNormal(random)));
    const { observation, terminated, truncated } = environment.step(action);
    observations.push(Float64Array.from(observation));
    actions.push(action);
    if (terminated || truncated) environment.reset(seed + i + 1);
  }
  return { observations, actions };
}

/** Makes what integrates the plant over one control interval, and begins anew after so many. */
function makeTransition(plant: Plant, { actions }: Recording, seed: number): Iterate {
  const state = Float64Array.from(plant.initialState);
  const observation = new Float64Array(plant.observationSpace.low.length);
  const action = new Float64Array(plant.actionSpace.low.length);
  const advance = createAdvance(plant, { state, observation, action, random: createRandom(seed) });
  let next = 0;
  return () => {
    action.set(actions[next]);
    advance();
    next = (next + 1) % recorded;
    if (next === 0) state.set(plant.initialState);
    return observation[0];
  };
}

function makeReward(plant: Plant, { observations, actions }: Recording): Iterate {
  let next = 0;
  return () => {
    next = (next + 1) % recorded;
    return plant.computeReward(observations[next], actions[next]);
  };
}

function makeReset(id: string, seed: number): Iterate {
  const environment = createEnvironment(id, { checkConstraints: true });
  let next = seed;
  return () => environment.reset(next++).observation[0];
}

/** What a step is made of, each part by itself. */
export const environmentPart: Workload = {
  name: "environment_part",
  category: "environment",
  description: "A part of an environment's step by itself: the state's transition, the reward; and a reset",
  needsRuntime: false,
  v8Flags: compileInLine,
  async setup({ params, seed }) {
    checkParamNames("environment_part", params, ["env", "part"]);
    const part = readChoice(params, "part", parts);
    const plant = findPlant(String(params.env));
    const recording = record(plant.id, seed);
    const make = {
      reset: () => makeReset(plant.id, seed),
      transition: () => makeTransition(plant, recording, seed),
      reward: () => makeReward(plant, recording),
    }[part];
    return {
      kind: "repeat",
      processed: { unit: part === "transition" ? "steps" : "calls", perIteration: 1 },
      metadata: { substeps: plant.substeps },
      iterate: make(),
      teardown: () => {},
    };
  },
};

/** Checking observations against hard and soft constraints, so many at a time. */
export const constraintCheck: Workload = {
  name: "constraint_check",
  category: "safety",
  description: "Checking a batch of observations against an environment's hard and soft constraints",
  needsRuntime: false,
  v8Flags: compileInLine,
  async setup({ params, seed }) {
    checkParamNames("constraint_check", params, ["env", "batch"]);
    const plant = findPlant(String(params.env));
    const batch = readCount(params, "batch");
    const { observations } = record(plant.id, seed);
    const { constraints } = plant;
    // Of the observations every other lies beyond a soft limit, so that costs are counted too.
    const chosen = Array.from({ length: batch }, (_, i) => {
      const observation = Float64Array.from(observations[i % recorded]);
      const { index, softHigh, hardHigh } = constraints[i % constraints.length];
      if (i % 2 === 1) observation[index] = softHigh + ((1 + (i % 7)) / 8) * (hardHigh - softHigh);
      return observation;
    });
    return {
      kind: "repeat",
      processed: { unit: "calls", perIteration: batch },
      metadata: { constraints: constraints.length },
      iterate: () => {
        let cost = 0;
        for (let i = 0; i < batch; i++) {
          cost += computeCost(constraints, chosen[i]);
          if (findViolation(constraints, chosen[i]) !== "") cost += 1;
        }
        return cost;
      },
      teardown: () => {},
    };
  },
};
