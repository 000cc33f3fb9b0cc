import { fileURLToPath } from "node:url";

/*
 * The host's own JAX, which is no runtime of this process: its benchmarks are commands, and python/jax_suite.py runs
 * them.
 */

export const pythonJax = { name: "jax" } as const;

/** Returns the path of one of the programs that lie beside `src` and `dist`. */
export function findPythonProgram(name: string): string {
  return fileURLToPath(new URL(`../../python/${name}`, import.meta.url));
}

export const jaxProgram = findPythonProgram("jax_suite.py");

/** Returns the Python that has the libraries: what FLEETMARK_PYTHON names, else the first on PATH. */
export function choosePython(): string {
  return process.env.FLEETMARK_PYTHON || "python3";
}
