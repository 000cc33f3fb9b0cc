import { createReplayBuffer, fillReplayBuffer } from "../algorithms/replay-buffer.js";
import { readSizes } from "../environments/environment.js";
import { createEnvironment } from "../environments/registry.js";
import { checkParamNames, readCount } from "./params.js";
import type { Workload } from "./workload.js";

/** The memory of so many steps under the environment's controller, environment and replay buffer included. */
export const episodeMemory: Workload = {
  name: "episode_memory",
  category: "memory",
  description: "Memory of one episode with its replay buffer",
  needsRuntime: false,
  async setup({ params, seed }) {
    checkParamNames("episode_memory", params, ["env", "steps"]);
    const id = String(params.env);
    const steps = readCount(params, "steps");
    createEnvironment(id, { checkConstraints: true });
    // What an episode made is kept until the next one, or until the end: it counts as retained.
    const kept: unknown[] = [];
    return {
      kind: "episode",
      processed: { unit: "steps", perIteration: steps },
      metadata: { replay_capacity: steps },
      episode: () => {
        const environment = createEnvironment(id, { checkConstraints: true });
        const buffer = createReplayBuffer(steps, readSizes(environment));
        fillReplayBuffer(buffer, environment, seed, steps);
        kept[0] = { environment, buffer };
        return buffer.rewards[buffer.count - 1];
      },
      teardown: () => {
        kept.length = 0;
      },
    };
  },
};
