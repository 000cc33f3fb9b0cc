import { type Zippable, zipSync } from "fflate";
import type { Dataset } from "./dataset.js";

/*
 * NumPy's files, as numpy.load opens them (NumPy, "NEP 1: A Simple File Format for NumPy Arrays", version 1.0): a ZIP
 * archive of arrays, each behind a header that says its type and shape. Keys are D4RL's.
 */

type Numbers = Float32Array | Uint8Array;

const headerAlignment = 64;

/** Returns an array as a file of version 1.0; truth values are bytes of 0 and 1. */
export function encodeNpy(numbers: Numbers, shape: readonly number[]): Uint8Array {
  const kind = numbers instanceof Float32Array ? "<f4" : "|b1";
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const prefix = 10;
  const padding = (headerAlignment - ((prefix + text.length + 1) % headerAlignment)) % headerAlignment;
  const header = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}${" ".repeat(padding)}\n`, "latin1");
  header.writeUInt16LE(header.length - prefix, 8);
  return Buffer.concat([header, new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)]);
}

/** A dataset's arrays by D4RL's names, with their shapes. */
export function listArrays(data: Dataset): readonly (readonly [name: string, numbers: Numbers, shape: readonly number[]])[] {
  const { size, observationLength, actionLength } = data;
  return [
    ["observations", data.observations, [size, observationLength]],
    ["actions", data.actions, [size, actionLength]],
    ["rewards", data.rewards, [size]],
    ["next_observations", data.nextObservations, [size, observationLength]],
    ["terminals", data.terminals, [size]],
    ["timeouts", data.timeouts, [size]],
  ];
}

/** Returns a dataset as the bytes of an .npz file, stored as they are: numbers with noise hardly get smaller. */
export function encodeNpz(data: Dataset): Uint8Array {
  const entries: Zippable = {};
  // The earliest time that ZIP knows: equal data make equal files.
  for (const [name, numbers, shape] of listArrays(data))
    entries[`${name}.npy`] = [encodeNpy(numbers, shape), { level: 0, mtime: "1980-01-01T00:00:00" }];
  return zipSync(entries);
}
