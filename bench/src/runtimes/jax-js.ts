import { createRequire } from "node:module";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type * as Jax from "@jax-js/jax";
import type { Device, Runtime, Tensor, TensorOps, TensorRuntime, Tensors } from "./runtime.js";

/** Where jax-js executes. */
type Backend = "wasm" | "webgpu";

/** Reads the installed package's version; its exports hide package.json, so it is found beside the entry. */
export function readJaxVersion(): string {
  const require = createRequire(import.meta.url);
  const entry = require.resolve("@jax-js/jax");
  const manifest: { version: string } = require(entry.replace(/dist\/[^/]*$/, "package.json"));
  return manifest.version;
}

/**
 * jax-js counts references: every operation consumes its operands, `.ref` retains one. A scope hides that: operations
 * retain their operands and the scope owns every result, to release them all when it closes.
 */
function createScopes(): { keep(array: Jax.Array): Jax.Array; run<T>(body: () => T, retain: (result: T) => void): T } {
  let open: Jax.Array[] | undefined;
  return {
    keep(array) {
      if (open === undefined) throw new FleetmarkError("INTERNAL", "a tensor operation outside of a compiled function");
      open.push(array);
      return array;
    },
    run(body, retain) {
      const outer = open;
      const mine: Jax.Array[] = [];
      open = mine;
      try {
        const result = body();
        retain(result);
        return result;
      } finally {
        open = outer;
        for (const array of mine) array.dispose();
      }
    },
  };
}

const toArray = (tensor: Tensor): Jax.Array => tensor as unknown as Jax.Array;
const toTensor = (array: Jax.Array): Tensor => array as unknown as Tensor;
const retain = (tensor: Tensor): Jax.Array => toArray(tensor).ref;
const retainOperand = (operand: Tensor | number): Jax.Array | number => (typeof operand === "number" ? operand : retain(operand));

function createOps(jax: typeof Jax, scopes: ReturnType<typeof createScopes>): TensorOps {
  const { numpy: np, nn, lax } = jax;
  const keep = (array: Jax.Array): Tensor => toTensor(scopes.keep(array));
  return {
    matmul: (a, b) => keep(np.matmul(retain(a), retain(b))),
    add: (a, b) => keep(np.add(retain(a), retainOperand(b))),
    sub: (a, b) => keep(np.subtract(retain(a), retain(b))),
    mul: (a, b) => keep(np.multiply(retain(a), retainOperand(b))),
    div: (a, b) => keep(np.trueDivide(retain(a), retain(b))),
    minimum: (a, b) => keep(np.minimum(retain(a), retain(b))),
    clip: (a, low, high) => keep(np.clip(retain(a), low, high)),
    relu: (a) => keep(nn.relu(retain(a))),
    tanh: (a) => keep(np.tanh(retain(a))),
    sin: (a) => keep(np.sin(retain(a))),
    cos: (a) => keep(np.cos(retain(a))),
    square: (a) => keep(np.square(retain(a))),
    sqrt: (a) => keep(np.sqrt(retain(a))),
    exp: (a) => keep(np.exp(retain(a))),
    log: (a) => keep(np.log(retain(a))),
    abs: (a) => keep(np.absolute(retain(a))),
    sum: (a) => keep(np.sum(retain(a))),
    mean: (a) => keep(np.mean(retain(a))),
    concatColumns: (a, b) => keep(np.concatenate([retain(a), retain(b)], 1)),
    stopGradient: (a) => keep(lax.stopGradient(retain(a))),
    valueAndGrad(loss, variables) {
      const scoped = (arrays: Jax.Array[]): Jax.Array => {
        const value = scopes.run(
          () => loss(arrays.map(toTensor)),
          (result) => retain(result),
        );
        for (const array of arrays) array.dispose();
        return toArray(value);
      };
      const [value, gradients] = jax.valueAndGrad(scoped)(variables.map(retain));
      return { value: keep(value), gradients: (gradients as Jax.Array[]).map(keep) };
    },
  };
}

type Arrays = { [name: string]: Jax.Array[] };

function retainAll(tensors: Tensors): Arrays {
  const arrays: Arrays = {};
  for (const [name, list] of Object.entries(tensors)) arrays[name] = list.map(retain);
  return arrays;
}

function createRuntime(jax: typeof Jax, name: string, backend: Backend, device: Device): TensorRuntime {
  const scopes = createScopes();
  return {
    name,
    device,
    compiles: true,
    readsAtOnce: backend === "wasm",
    ops: createOps(jax, scopes),
    createTensor: (data, shape) => toTensor(jax.numpy.array(data, { shape: [...shape], device: backend })),
    read: (tensor) => {
      const array = retain(tensor);
      return backend === "wasm" ? (array.dataSync() as Float32Array) : (array.data() as Promise<Float32Array>);
    },
    dispose: (tensors) => {
      for (const tensor of tensors) toArray(tensor).dispose();
    },
    compile<I extends Tensors, O extends Tensors>(fn: (inputs: I) => O) {
      const scoped = (inputs: Arrays): Arrays => {
        const outputs = scopes.run(
          () => fn(inputs as unknown as I),
          (result) => retainAll(result),
        );
        for (const list of Object.values(inputs)) for (const array of list) array.dispose();
        return outputs as unknown as Arrays;
      };
      const program = jax.jit(scoped);
      return (inputs: I) => program(retainAll(inputs)) as unknown as O;
    },
  };
}

/** Loads jax-js on one of its backends, which executes on the device given. */
export async function loadJax(name: string, backend: Backend, device: Device): Promise<TensorRuntime> {
  try {
    const jax = await import("@jax-js/jax");
    if (!(await jax.init(backend)).includes(backend)) throw new Error(`the device ${backend} did not start`);
    jax.defaultDevice(backend);
    return createRuntime(jax, name, backend, device);
  } catch (cause) {
    throw new FleetmarkError("RUNTIME_UNAVAILABLE", `${name}: ${errorMessage(cause)}`, { cause });
  }
}

/** jax-js on its WebAssembly device: NumPy-like tensors with jit and gradients on the CPU. */
export const jaxJs: Runtime = {
  name: "jax-js",
  devices: ["cpu"],
  compiles: true,
  async probe() {
    try {
      return { available: true, device: "cpu", version: readJaxVersion(), note: "WebAssembly" };
    } catch (error) {
      return { available: false, reason: errorMessage(error) };
    }
  },
  load: () => loadJax("jax-js", "wasm", "cpu"),
};
