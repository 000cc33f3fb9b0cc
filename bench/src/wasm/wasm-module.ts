import { readFileSync } from "node:fs";

/** What is used of the W3C's "WebAssembly JavaScript Interface", which Node.js has and its types lack. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    constructor(size: { initial: number });
    readonly buffer: ArrayBuffer;
  }
  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>);
    readonly exports: unknown;
  }
}

/** A module's functions, all of numbers. */
export type WasmFunctions = Readonly<Record<string, (...numbers: number[]) => number>>;

/** Imported numbers by the name that they have in the source. */
export type WasmParameters = Readonly<Record<string, number>>;

/** Bytes that the compiler keeps for itself at the beginning of memory. */
export const reservedBytes = 4096;
const pageBytes = 65_536;

const compiled = new Map<string, WebAssembly.Module>();

/** Compiles a module of `assembly/`, once per process: `make build` has written it beside the compiled code. */
function compile(name: string): WebAssembly.Module {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const module = new WebAssembly.Module(readFileSync(new URL(`../../assembly/compiled/${name}.wasm`, import.meta.url)));
  compiled.set(name, module);
  return module;
}

/** Gives out parts of a memory one behind the other, each at a multiple of 16 bytes. */
export interface Layout {
  take(bytes: number): number;
  readonly end: number;
}

export function createLayout(): Layout {
  let end = reservedBytes;
  return {
    take(bytes) {
      const address = end;
      end += Math.ceil(bytes / 16) * 16;
      return address;
    },
    get end() {
      return end;
    },
  };
}

/** A module with a memory of its own of so many bytes. @throws CompileError where there is no SIMD */
export function instantiate(
  name: string,
  bytes: number,
  parameters: WasmParameters,
): { buffer: ArrayBuffer; functions: WasmFunctions } {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  const { exports } = new WebAssembly.Instance(compile(name), { env: { memory }, parameters });
  return { buffer: memory.buffer, functions: exports as WasmFunctions };
}
