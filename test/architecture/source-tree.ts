import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { parseSync } from "vite";

/** A function with its body, its inner functions counted in. */
export interface SourceFunction {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** One file of a package's code. Tests and generated code are none. */
export interface SourceFile {
  /** From the repository's root: `agent/src/spool/spool.ts`. */
  readonly path: string;
  readonly package: string;
  /** From the package's `src`, empty for the files directly in it: `spool`. */
  readonly folder: string;
  readonly text: string;
  readonly lines: number;
  readonly functions: readonly SourceFunction[];
  /** What it imports: paths of files of the tree, else the specifiers as they are written. */
  readonly imports: readonly string[];
}

export const packages = ["shared", "bench", "agent", "collector", "cli", "deploy/grafana"] as const;

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** Visits every node below one, with the node that holds it. */
function visit(node: Node, holder: Node | undefined, see: (node: Node, holder: Node | undefined) => void): void {
  see(node, holder);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, node, see);
  }
}

const functionTypes = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

function nameOf(node: unknown): string {
  const named = node as { name?: unknown; id?: { name?: unknown }; key?: { name?: unknown } } | undefined;
  const name = named?.name ?? named?.id?.name ?? named?.key?.name;
  return typeof name === "string" ? name : "";
}

function listTypeScript(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("/gen/"))
    .sort();
}

/** Returns the file of the tree that an import names; anything else stays as it is written. */
function resolveImport(specifier: string, path: string): string {
  if (specifier.startsWith(".")) return normalize(join(dirname(path), specifier)).replace(/\.js$/, ".ts");
  const inPackage = /^@fleetmark\/([a-z]+)(?:\/(.+))?$/.exec(specifier);
  return inPackage === null ? specifier : `${inPackage[1]}/src/${inPackage[2] ?? "index"}.ts`;
}

function readFile(root: string, name: string, path: string): SourceFile {
  const text = readFileSync(path, "utf8");
  const lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  const lineOf = (offset: number): number => lineStarts.findLastIndex((start) => start <= offset) + 1;
  const functions: SourceFunction[] = [];
  const imports: string[] = [];
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  visit(program as unknown as Node, undefined, (node, holder) => {
    if (functionTypes.has(node.type)) {
      const [first, last] = [lineOf(node.start), lineOf(node.end)];
      functions.push({ name: nameOf(node) || nameOf(holder) || "a function", line: first, lines: last - first + 1 });
    }
    const source = node.source as { value?: unknown } | undefined;
    if (/^(Import|Export(Named|All))/.test(node.type) && typeof source?.value === "string") imports.push(source.value);
  });
  const relativePath = relative(root, path);
  return {
    path: relativePath,
    package: name,
    folder: relative(join(name, "src"), dirname(relativePath)),
    text,
    lines: lineStarts.length - 1,
    functions,
    imports: imports.map((specifier) => resolveImport(specifier, relativePath)),
  };
}

/** Reads the code of every package of a checkout. */
export function readSourceTree(root: string): SourceFile[] {
  return packages.flatMap((name) => listTypeScript(join(root, name, "src")).map((path) => readFile(root, name, path)));
}
