/**
 * Work that never changes, as a WebAssembly module: V8 makes the same machine code of it in every process, whatever
 * flags the process has and whatever its JavaScript did before. Four independent sums over 16 KiB, some 20 µs, that
 * stay in the core's own cache and keep its arithmetic units busy. What shares the core, on its other hardware thread,
 * slows it down, be it of another guest of the same host, which no counter of this machine shows.
 */

const rounds = 40;
const factor = 1.5;
const bytes = 16_384;

/** What V8 shows of WebAssembly, as far as it is needed here. */
declare const WebAssembly: {
  Module: new (source: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: { readonly work: Work } };
};

type Work = (rounds: number, factor: number) => number;

const f64 = 0x7c;
const i32 = 0x7f;
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];
const constant = (value: number): number[] => [0x41, ...encodeSigned(value)];
const loop = (body: readonly number[]): number[] => [0x03, 0x40, ...body, 0x0b];
const [loadF64, subtract, add, isBelow, addF64, multiplyF64] = [0x2b, 0x6b, 0x6a, 0x49, 0xa0, 0xa2];
const repeatIf = [0x0d, 0];

/** Locals: the two parameters, the place in the memory, four sums. */
const [roundsLeft, scale, place, sums] = [0, 1, 2, [3, 4, 5, 6]];

/** Encodes a small positive integer as signed LEB128. */
function encodeSigned(value: number): number[] {
  return value < 64 ? [value] : [(value & 0x7f) | 0x80, ...encodeSigned(value >> 7)];
}

/** Puts instructions one after the other. */
const join = (...parts: readonly (number | readonly number[])[]): number[] => parts.flat();

/** sum += memory[place + offset] * scale */
const addNext = (sum: number, lane: number): number[] =>
  join(get(sum), get(place), loadF64, 3, 8 * lane, get(scale), multiplyF64, addF64, set(sum));
const advance = join(get(place), constant(8 * sums.length), add, tee(place));
const walk = loop(join(sums.flatMap(addNext), advance, constant(bytes), isBelow, repeatIf));
const countDown = join(get(roundsLeft), constant(1), subtract, tee(roundsLeft), repeatIf);
const repeat = loop(join(constant(0), set(place), walk, countDown));
const total = sums.flatMap((sum, i) => (i === 0 ? get(sum) : [...get(sum), addF64]));
const locals = [2, 1, i32, sums.length, f64];
const code = join(locals, repeat, total, 0x0b);

/** A section or a body; none is longer than 127 bytes but the code. */
function withLength(content: readonly number[]): number[] {
  const { length } = content;
  return length < 128 ? [length, ...content] : [(length & 0x7f) | 0x80, length >> 7, ...content];
}

const section = (id: number, content: readonly number[]): number[] => [id, ...withLength(content)];
const name = [...Buffer.from("work")];

/** Types, functions, memory, exports, code: WebAssembly Core Specification, § 5.5. */
const header = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const module = Uint8Array.from(
  join(
    header,
    section(1, [1, 0x60, 2, i32, f64, 1, f64]),
    section(3, [1, 0]),
    section(5, [1, 0, 1]),
    section(7, join(1, withLength(name), 0, 0)),
    section(10, join(1, withLength(code))),
  ),
);

let work: Work | undefined;

export function doReferenceWork(): number {
  // Made at its first use: a process that measures nothing takes no address space for WebAssembly.
  work ??= new WebAssembly.Instance(new WebAssembly.Module(module)).exports.work;
  return work(rounds, factor);
}
