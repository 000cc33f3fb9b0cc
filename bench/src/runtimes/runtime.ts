/** What tensor code runs on. `software` is a GPU's interface that the CPU implements: never to be filed as a GPU. */
export const knownDevices = ["cpu", "gpu", "software"] as const;
export type Device = (typeof knownDevices)[number];

/** Whether a runtime can be used on this host, and if not, why. */
export type Availability =
  | { readonly available: true; readonly device: Device; readonly version: string; readonly note?: string }
  | { readonly available: false; readonly reason: string };

/** What executes tensor code. Probing is cheap and never throws; loading may take a second. */
export interface Runtime {
  readonly name: string;
  /**
   * The devices that it may come to use, the one it is made for first: by that its benchmarks are called until they
   * ran. Loading tells which one it really uses.
   */
  readonly devices: readonly [Device, ...Device[]];
  /** Whether it makes kernels of its own, whose first call costs more than the next. */
  readonly compiles: boolean;
  /** Whether it has no tensor operations but `createPolicy`. */
  readonly runsPoliciesOnly?: boolean;
  probe(): Promise<Availability>;
  /** @throws FleetmarkError RUNTIME_UNAVAILABLE */
  load(): Promise<TensorRuntime>;
}

declare const tensorBrand: unique symbol;

/** A float32 array on the runtime's device. It lives until it is disposed of. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly [tensorBrand]: true;
}

/** Named lists of tensors: what compiled functions take and return. */
export type Tensors = { readonly [name: string]: readonly Tensor[] };

/**
 * Operations on tensors, for use inside a function given to `compile` only. Operands are left alone and results are
 * freed when the function ends, so that algorithms need not know who owns what. Two operands broadcast as in NumPy.
 */
export interface TensorOps {
  /** [m, k] × [k, n] → [m, n]. */
  matmul(a: Tensor, b: Tensor): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  minimum(a: Tensor, b: Tensor): Tensor;
  clip(a: Tensor, low: number, high: number): Tensor;
  relu(a: Tensor): Tensor;
  tanh(a: Tensor): Tensor;
  sin(a: Tensor): Tensor;
  cos(a: Tensor): Tensor;
  square(a: Tensor): Tensor;
  sqrt(a: Tensor): Tensor;
  exp(a: Tensor): Tensor;
  /** Natural. */
  log(a: Tensor): Tensor;
  abs(a: Tensor): Tensor;
  /** Over all elements, to shape []. */
  sum(a: Tensor): Tensor;
  mean(a: Tensor): Tensor;
  /** [m, p] and [m, q] → [m, p + q]. */
  concatColumns(a: Tensor, b: Tensor): Tensor;
  /** The same values, through which no gradient flows. */
  stopGradient(a: Tensor): Tensor;
  /** Evaluates a function of shape [] and its gradient with respect to each of the variables. */
  valueAndGrad(
    loss: (variables: readonly Tensor[]) => Tensor,
    variables: readonly Tensor[],
  ): { value: Tensor; gradients: Tensor[] };
}

/** A function made ready by a runtime. It leaves its inputs alone; its outputs belong to the caller. */
export type Compiled<I extends Tensors, O extends Tensors> = (inputs: I) => O;

/** A layer of a network, row-major float32: weights [inputs, outputs], bias [outputs]. */
export interface DenseLayer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** Runs a policy: [batch, observations] → [batch, actions], each of them row-major. The result is reused. */
export type PlainPolicyRunner = (observations: Float32Array) => Float32Array;

/** A loaded runtime. */
export interface TensorRuntime {
  readonly name: string;
  /** The device that it really uses. */
  readonly device: Device;
  readonly compiles: boolean;
  /** Whether `read` returns the values themselves; else it gives a promise, since the device can't be waited for. */
  readonly readsAtOnce: boolean;
  readonly ops: TensorOps;
  /** Copies the data to the device. Fewer or more numbers than the shape holds are an error of the caller. */
  createTensor(data: Float32Array, shape: readonly number[]): Tensor;
  /** Reads the values, once all work that they depend on is done. */
  read(tensor: Tensor): Float32Array | Promise<Float32Array>;
  dispose(tensors: Iterable<Tensor>): void;
  /** Calls with inputs of other shapes compile anew. */
  /** Makes a policy, rectified linear units within and tanh at the end, for batches of at most so many rows. */
  createPolicy?(layers: readonly DenseLayer[], most: number): PlainPolicyRunner;
  compile<I extends Tensors, O extends Tensors>(fn: (inputs: I) => O): Compiled<I, O>;
}

/** Disposes of every tensor of the lists. */
export function disposeAll(runtime: TensorRuntime, tensors: Tensors): void {
  for (const list of Object.values(tensors)) runtime.dispose(list);
}
