import { drawInteger, type Random } from "@fleetmark/shared/stats/random";

type Mutate = (bytes: Uint8Array, random: Random) => Uint8Array;

const join = (...parts: Uint8Array[]): Uint8Array => Buffer.concat(parts);

/** Values at which lengths, indexes and numbers turn over. */
const edges = [0, 1, 0x7f, 0x80, 0xff];

const ways: readonly Mutate[] = [
  function flipBits(bytes, random) {
    const copy = Uint8Array.from(bytes);
    const count = 1 + drawInteger(random, 4);
    for (let i = 0; i < count; i++) copy[drawInteger(random, copy.length)] ^= 1 << drawInteger(random, 8);
    return copy;
  },
  function setByte(bytes, random) {
    const copy = Uint8Array.from(bytes);
    copy[drawInteger(random, copy.length)] = edges[drawInteger(random, edges.length)];
    return copy;
  },
  function cutOff(bytes, random) {
    return bytes.slice(0, drawInteger(random, bytes.length));
  },
  function takeOut(bytes, random) {
    const at = drawInteger(random, bytes.length);
    return join(bytes.subarray(0, at), bytes.subarray(at + 1 + drawInteger(random, 16)));
  },
  function putIn(bytes, random) {
    const at = drawInteger(random, bytes.length + 1);
    const noise = Uint8Array.from({ length: 1 + drawInteger(random, 16) }, () => drawInteger(random, 256));
    return join(bytes.subarray(0, at), noise, bytes.subarray(at));
  },
  function repeatPart(bytes, random) {
    const at = drawInteger(random, bytes.length);
    const end = at + 1 + drawInteger(random, Math.min(64, bytes.length - at));
    return join(bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end));
  },
  function putHugeVarint(bytes, random) {
    const at = drawInteger(random, bytes.length);
    return join(bytes.subarray(0, at), new Uint8Array(1 + drawInteger(random, 12)).fill(0xff), bytes.subarray(at + 1));
  },
  function makeNoise(bytes, random) {
    return Uint8Array.from({ length: drawInteger(random, bytes.length) }, () => drawInteger(random, 256));
  },
];

/** Changes bytes in one to three ways; `isWanted` decides which of the outcomes will do. */
export function mutate(bytes: Uint8Array, random: Random, isWanted: (mutant: Uint8Array) => boolean): Uint8Array {
  for (;;) {
    let mutant = bytes;
    for (let i = 1 + drawInteger(random, 3); i > 0 && mutant.length > 0; i--)
      mutant = ways[drawInteger(random, ways.length)](mutant, random);
    if (isWanted(mutant)) return mutant;
  }
}
