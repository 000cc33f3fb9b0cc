import { createEnvironment, referenceEnvironment } from "../environments/registry.js";
import { checkParamNames, readChoice, readCount } from "./params.js";
import { controlPeriodS, type Iterate, type Processed, type Workload } from "./workload.js";

/** What allocates, and how many bytes an iteration asks for. */
interface Pattern {
  readonly processed: Processed;
  readonly iterate: Iterate;
}

interface Cell {
  readonly value: number;
  readonly next: Cell | undefined;
}

/** Bytes of an object with two fields, on a 64-bit machine with compressed pointers off. */
const cellBytes = 40;

/** A list of so many small objects that lives until the next one is complete. */
function makeManySmall(): Pattern {
  const count = 50_000;
  let kept: Cell | undefined;
  const iterate = (): number => {
    let head: Cell | undefined;
    for (let i = 0; i < count; i++) head = { value: i, next: head };
    kept = head;
    return kept?.value ?? 0;
  };
  return { iterate, processed: { unit: "bytes", perIteration: count * cellBytes } };
}

/** A few large blocks of memory, touched on every page. */
function makeFewLarge(): Pattern {
  const [count, bytes, page] = [4, 8 * 2 ** 20, 4096];
  const iterate = (): number => {
    let sum = 0;
    for (let n = 0; n < count; n++) {
      const block = new Uint8Array(bytes);
      for (let i = 0; i < bytes; i += page) block[i] = n + 1;
      sum += block[bytes - page];
    }
    return sum;
  };
  return { iterate, processed: { unit: "bytes", perIteration: count * bytes } };
}

/** Typed arrays as learners use them: a thousand observations' worth each. */
function makeTypedArrays(): Pattern {
  const [count, length] = [200, 3000];
  const iterate = (): number => {
    let sum = 0;
    for (let n = 0; n < count; n++) sum += new Float32Array(length).fill(n)[length - 1];
    return sum;
  };
  return { iterate, processed: { unit: "bytes", perIteration: 4 * count * length } };
}

/** Objects that live for a while and die in another order than they came, as queues and caches keep them. */
function makeChurn(): Pattern {
  const [alive, replaced] = [50_000, 20_000];
  const kept: Cell[] = Array.from({ length: alive }, (_, value) => ({ value, next: undefined }));
  let at = 0;
  const iterate = (): number => {
    for (let i = 0; i < replaced; i++) {
      // A stride that has no divisor in common with the number of places.
      at = (at + 7919) % alive;
      kept[at] = { value: i, next: undefined };
    }
    return kept[at].value;
  };
  return { iterate, processed: { unit: "bytes", perIteration: replaced * cellBytes } };
}

const patterns = { many_small: makeManySmall, few_large: makeFewLarge, typed_arrays: makeTypedArrays, churn: makeChurn } as const;
export const allocationPatterns = [
  "many_small",
  "few_large",
  "typed_arrays",
  "churn",
] as const satisfies (keyof typeof patterns)[];

/** Allocating and collecting. Peak memory, collections and their pauses stand in the result of every benchmark. */
export const allocation: Workload = {
  name: "allocation",
  category: "memory",
  description: "Allocating in a pattern: many small objects, few large blocks, typed arrays, or objects that churn",
  needsRuntime: false,
  async setup({ params }) {
    checkParamNames("allocation", params, ["pattern"]);
    const pattern = readChoice(params, "pattern", allocationPatterns);
    return { kind: "repeat", ...patterns[pattern](), metadata: {}, teardown: () => undefined };
  },
};

/** Bytes of garbage that a step leaves behind. */
const garbageObjects = 50;

/** What the collector does to a controller: single steps against the control period, while a heap is alive. */
export const stepUnderGarbage: Workload = {
  name: "step_under_garbage",
  category: "memory",
  description: "A checked step of the reference environment that leaves garbage behind, beside a heap of so many MB alive",
  needsRuntime: false,
  async setup({ params, seed }) {
    checkParamNames("step_under_garbage", params, ["heap_mb"]);
    const alive: Cell[] = Array.from({ length: (readCount(params, "heap_mb") * 1e6) / cellBytes }, (_, value) => ({
      value,
      next: undefined,
    }));
    const environment = createEnvironment(referenceEnvironment, { checkConstraints: true });
    const action = new Float64Array(environment.actionSpace.low.length);
    let episode = seed;
    environment.reset(episode);
    let at = 0;
    return {
      kind: "repeat",
      processed: { unit: "steps", perIteration: 1 },
      metadata: { env: referenceEnvironment, garbage_bytes: garbageObjects * cellBytes },
      deadlineS: controlPeriodS,
      iterate: () => {
        environment.suggestAction(action);
        const { reward, terminated, truncated } = environment.step(action);
        for (let i = 0; i < garbageObjects; i++) {
          at = (at + 7919) % alive.length;
          alive[at] = { value: reward + i, next: undefined };
        }
        if (terminated || truncated) environment.reset(++episode);
        return reward + alive[at].value;
      },
      teardown: () => undefined,
    };
  },
};
