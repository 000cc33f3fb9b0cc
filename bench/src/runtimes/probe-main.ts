import { errorMessage } from "@fleetmark/shared/errors";
import { findRuntime, loadRuntime } from "./registry.js";
import type { Availability, Tensor, TensorRuntime } from "./runtime.js";

/** The process that asks one runtime, named by its argument, whether it computes; it prints the answer as JSON. */

/** Multiplies a small matrix by itself and reads the product back. */
async function multiply(runtime: TensorRuntime): Promise<number[]> {
  const square = runtime.compile((given: { readonly input: readonly [Tensor] }) => ({
    output: [runtime.ops.matmul(given.input[0], given.input[0])],
  }));
  const { output } = square({ input: [runtime.createTensor(Float32Array.of(1, 2, 3, 4), [2, 2])] });
  return Array.from(await runtime.read(output[0]));
}

function judge(found: Availability, product: readonly number[], known: readonly number[]): Availability {
  if (known.every((value, i) => Math.abs(product[i] - value) < 1e-6)) return found;
  return { available: false, reason: `it computes wrongly: a small product gave ${product.join(", ")}` };
}

async function probe(name: string): Promise<Availability> {
  const found = await findRuntime(name).probe();
  if (!found.available) return found;
  const runtime = await loadRuntime(name);
  if (runtime.createPolicy === undefined) return judge(found, await multiply(runtime), [7, 10, 15, 22]);
  // Weights of 1, 2, 3, 4 by tenths, and the tangent of the product.
  const layer = { inputs: 2, outputs: 2, weights: Float32Array.of(0.1, 0.2, 0.3, 0.4), bias: Float32Array.of(0, 0) };
  return judge(found, [...runtime.createPolicy([layer], 1)(Float32Array.of(1, 1))], [Math.tanh(0.4), Math.tanh(0.6)]);
}

const answer = await probe(process.argv[2]).catch((error): Availability => ({ available: false, reason: errorMessage(error) }));
// A binding may keep threads that never end.
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
