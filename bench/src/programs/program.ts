import { disposeAll, type Tensor, type TensorRuntime, type Tensors } from "../runtimes/runtime.js";

/**
 * One iteration of work. It returns a number that depends on the work, which the engine consumes so that none is
 * optimised away.
 */
export type Iterate = (() => number) | (() => Promise<number>);

/** A compiled function with everything it needs between calls. */
export interface Program {
  /** Uploads the next input, executes, reads the result and frees both. Its value is an element of the result. */
  readonly iterate: Iterate;
  dispose(): void;
}

/** Reads a tensor of a call's outputs, then frees them all. Its value is the first element. */
export function readAndFree(runtime: TensorRuntime, outputs: Tensors, tensor: Tensor): number | Promise<number> {
  const finish = ([value]: Float32Array): number => {
    disposeAll(runtime, outputs);
    return value;
  };
  const read = runtime.read(tensor);
  return read instanceof Float32Array ? finish(read) : read.then(finish);
}

/**
 * Compiles y = fn(parameters, x) into an iteration as a user meets it: the input goes to the device, the result comes
 * back. The inputs take turns, so that no call can reuse the last one's result.
 */
export function createProgram(
  runtime: TensorRuntime,
  fn: (parameters: readonly Tensor[], input: Tensor) => Tensor,
  parameters: readonly Tensor[],
  inputs: readonly Float32Array[],
  shape: readonly number[],
): Program {
  const run = runtime.compile((given: { readonly parameters: readonly Tensor[]; readonly input: readonly Tensor[] }) => ({
    output: [fn(given.parameters, given.input[0])],
  }));
  let turn = 0;

  function execute(): Tensors & { output: Tensor[] } {
    turn = (turn + 1) % inputs.length;
    const input = [runtime.createTensor(inputs[turn], shape)];
    const outputs = run({ parameters, input });
    runtime.dispose(input);
    return outputs;
  }

  function finish(outputs: Tensors, values: Float32Array): number {
    disposeAll(runtime, outputs);
    return values[values.length - 1];
  }

  const synchronous = (): number => {
    const outputs = execute();
    return finish(outputs, runtime.read(outputs.output[0]) as Float32Array);
  };
  const asynchronous = async (): Promise<number> => {
    const outputs = execute();
    return finish(outputs, await runtime.read(outputs.output[0]));
  };
  return { iterate: runtime.readsAtOnce ? synchronous : asynchronous, dispose: () => runtime.dispose(parameters) };
}
