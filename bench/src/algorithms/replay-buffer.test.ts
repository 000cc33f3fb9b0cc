import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSizes, type Transition } from "../environments/environment.js";
import { createRandom } from "../environments/random.js";
import { createEnvironment } from "../environments/registry.js";
import {
  createBatch,
  createReplayBuffer,
  fillReplayBuffer,
  normalizeObservations,
  pushTransition,
  sampleBatch,
} from "./replay-buffer.js";

/** A transition whose every number tells which one it is. */
function push(buffer: ReturnType<typeof createReplayBuffer>, id: number): void {
  const outcome = {
    observation: Float64Array.of(id + 0.5, -id - 0.5),
    reward: 10 * id,
    terminated: id % 3 === 0,
    truncated: true,
  } as Transition;
  pushTransition(buffer, Float64Array.of(id, -id), Float64Array.of(id / 100), outcome);
}

test("the ring keeps the newest transitions, and samples are whole rows of it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 60 }), fc.nat(), (capacity, pushed, seed) => {
      const buffer = createReplayBuffer(capacity, { observationLength: 2, actionLength: 1 });
      for (let id = 1; id <= pushed; id++) push(buffer, id);
      expect(buffer.count).toBe(Math.min(capacity, pushed));
      const batch = createBatch(30, buffer);
      sampleBatch(buffer, createRandom(seed), batch);
      for (let row = 0; row < batch.size; row++) {
        const id = batch.observations[2 * row];
        expect(id).toBeGreaterThan(pushed - buffer.count);
        expect(id).toBeLessThanOrEqual(pushed);
        expect(batch.observations[2 * row + 1]).toBe(-id);
        expect([...batch.nextObservations.slice(2 * row, 2 * row + 2)]).toEqual([id + 0.5, -id - 0.5]);
        expect(batch.actions[row]).toBe(Math.fround(id / 100));
        expect(batch.rewards[row]).toBe(10 * id);
        // Termination ends a transition's future, truncation doesn't.
        expect(batch.continues[row]).toBe(id % 3 === 0 ? 0 : 1);
      }
    }),
  );
});

describe("filled by the environment", () => {
  const fill = (seed: number) => {
    const environment = createEnvironment("ChemicalReactor-v0", { checkConstraints: true });
    const buffer = createReplayBuffer(1500, readSizes(environment));
    fillReplayBuffer(buffer, environment, seed, 1500);
    return buffer;
  };

  test("the same seed gives the same buffer, and rows follow one another", () => {
    const buffer = fill(1);
    expect(fill(1)).toEqual(buffer);
    expect(fill(2).rewards).not.toEqual(buffer.rewards);
    expect(buffer.nextObservations.slice(0, 12)).toEqual(buffer.observations.slice(12, 24));
    expect(buffer.actions.every((value) => value >= -1 && value <= 1)).toBe(true);
  });

  test("normalised observations have mean 0 and deviation 1, next ones the same scale", () => {
    const buffer = fill(1);
    normalizeObservations(buffer);
    for (let i = 0; i < 12; i++) {
      const column = Array.from({ length: buffer.count }, (_, row) => buffer.observations[row * 12 + i]);
      const mean = column.reduce((sum, value) => sum + value, 0) / column.length;
      const deviation = Math.sqrt(column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / column.length);
      // float32 observations of some 350 K carry 3e-5 K of rounding.
      expect(Math.abs(mean)).toBeLessThan(1e-3);
      expect(deviation).toBeGreaterThan(0.5);
      expect(deviation).toBeLessThanOrEqual(1.001);
    }
    expect(buffer.nextObservations.slice(0, 12)).toEqual(buffer.observations.slice(12, 24));
  });
});
