import { createRandom, drawIndex } from "../environments/random.js";
import { createLayout, instantiate } from "../wasm/wasm-module.js";
import { checkParamNames, readChoice, readCount } from "./params.js";
import { type Iterate, optimizeWasmAtOnce, type Processed, type Workload } from "./workload.js";

/*
 * What the machine can do, by WebAssembly that is the same on every host (assembly/reference.ts): by it a slow host is
 * told from a slow program, and hosts of one hardware class are compared.
 */

const mib = 2 ** 20;
const numberBytes = 8;

/** STREAM's kernels in the order that their code knows them by, and numbers that each reads and writes a place. */
const streamKernels = ["copy", "scale", "add", "triad"] as const;
const touched = { copy: 2, scale: 2, add: 3, triad: 3 } as const;

/** Memory bandwidth of one core. Arrays must be some times as large as the last cache to tell of memory. */
export const memoryBandwidth: Workload = {
  name: "memory_bandwidth",
  category: "memory",
  description: "A kernel of STREAM over arrays in memory, by one core",
  needsRuntime: false,
  v8Flags: optimizeWasmAtOnce,
  async setup({ params }) {
    checkParamNames("memory_bandwidth", params, ["kernel", "mib"]);
    const kernel = readChoice(params, "kernel", streamKernels);
    const bytes = readCount(params, "mib") * mib;
    const count = bytes / numberBytes;
    const layout = createLayout();
    const places = [layout.take(bytes), layout.take(bytes), layout.take(bytes)];
    const { buffer, functions } = instantiate("reference", layout.end, {});
    places.forEach((place, i) => {
      new Float64Array(buffer, place, count).fill(1 + i);
    });
    const index = streamKernels.indexOf(kernel);
    return {
      kind: "repeat",
      processed: { unit: "bytes", perIteration: touched[kernel] * bytes },
      metadata: { arrays: places.length, elements: count },
      iterate: () => functions.stream(index, places[0], places[1], places[2], count),
      teardown: () => undefined,
    };
  },
};

const rounds = 100_000;
const chased = 64 * mib;
const lineBytes = 64;
const loads = 20_000;

/** Makes a closed way through all lines of memory, in an order that no prefetcher guesses (Sattolo 1986). */
function layChain(words: Uint32Array, start: number, seed: number): void {
  const stride = lineBytes / Uint32Array.BYTES_PER_ELEMENT;
  const lines = words.length / stride;
  const random = createRandom(seed);
  const order = Uint32Array.from({ length: lines }, (_, i) => i);
  for (let i = lines - 1; i > 0; i--) {
    const j = drawIndex(random, i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  for (let i = 0; i < lines; i++) words[order[i] * stride] = start + order[(i + 1) % lines] * lineBytes;
}

const referenceKernels = ["integer", "float", "latency"] as const;

function makeReference(kernel: (typeof referenceKernels)[number], seed: number): { iterate: Iterate; processed: Processed } {
  const layout = createLayout();
  const start = layout.take(kernel === "latency" ? chased : 0);
  const { buffer, functions } = instantiate("reference", layout.end, {});
  // Eight times two lanes of a multiplication and an addition.
  if (kernel === "float")
    return { iterate: () => functions.floats(rounds, seed), processed: { unit: "flops", perIteration: 32 * rounds } };
  if (kernel === "integer")
    return { iterate: () => functions.integers(rounds, seed), processed: { unit: "calls", perIteration: rounds } };
  layChain(new Uint32Array(buffer, start, chased / Uint32Array.BYTES_PER_ELEMENT), start, seed);
  let at = start;
  const iterate = (): number => {
    at = functions.chase(at, loads);
    return at;
  };
  return { iterate, processed: { unit: "calls", perIteration: loads } };
}

/** A processor's own speed, without what a program does with it. */
export const cpuReference: Workload = {
  name: "cpu_reference",
  category: "memory",
  description: "Integer arithmetic, floating-point arithmetic, or loads from memory that wait for each other",
  needsRuntime: false,
  v8Flags: optimizeWasmAtOnce,
  async setup({ params, seed }) {
    checkParamNames("cpu_reference", params, ["kernel"]);
    const kernel = readChoice(params, "kernel", referenceKernels);
    const { iterate, processed } = makeReference(kernel, seed);
    const task = { kind: "repeat", processed, iterate, teardown: () => undefined } as const;
    return kernel === "latency" ? { ...task, metadata: { memory_mb: chased / 1e6 } } : task;
  },
};
