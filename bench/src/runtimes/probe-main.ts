import { errorMessage } from "@fleetmark/shared/errors";
import { findRuntime, loadRuntime } from "./registry.js";
import type { Availability, TensorRuntime } from "./runtime.js";

/** The process that asks one runtime, named by its argument, whether it computes; it prints the answer as JSON. */

/** Multiplies a small matrix by itself and reads the product back. */
async function multiply(runtime: TensorRuntime): Promise<number[]> {
  const square = runtime.compile((given: { readonly input: readonly [import("./runtime.js").Tensor] }) => ({
    output: [runtime.ops.matmul(given.input[0], given.input[0])],
  }));
  const { output } = square({ input: [runtime.createTensor(Float32Array.of(1, 2, 3, 4), [2, 2])] });
  return Array.from(await runtime.read(output[0]));
}

async function probe(name: string): Promise<Availability> {
  const found = await findRuntime(name).probe();
  if (!found.available) return found;
  const product = await multiply(await loadRuntime(name));
  if (product.join() === "7,10,15,22") return found;
  return { available: false, reason: `it computes wrongly: a product of small matrices gave ${product.join(", ")}` };
}

const answer = await probe(process.argv[2]).catch((error): Availability => ({ available: false, reason: errorMessage(error) }));
// A binding may keep threads that never end.
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
