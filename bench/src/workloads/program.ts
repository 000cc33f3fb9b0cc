import { FleetmarkError } from "@fleetmark/shared/errors";
import { disposeAll, type Tensor, type TensorRuntime, type Tensors } from "../runtimes/runtime.js";
import type { Iterate, SetupContext } from "./workload.js";

/** @throws FleetmarkError INTERNAL when the workload was set up without the runtime that it declares to need */
export function requireRuntime({ runtime }: SetupContext): TensorRuntime {
  if (runtime === undefined) throw new FleetmarkError("INTERNAL", "a tensor workload was set up without a runtime");
  return runtime;
}

/** A compiled function with everything it needs between calls. */
export interface Program {
  /** Uploads the next input, executes, reads the result and frees both. Its value is an element of the result. */
  readonly iterate: Iterate;
  dispose(): void;
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
