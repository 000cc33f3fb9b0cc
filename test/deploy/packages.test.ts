import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSourceTree } from "../architecture/source-tree.js";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly files?: readonly string[];
  readonly bin?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly engines: { readonly node: string };
}

const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const packages = ["shared", "bench", "agent", "collector", "cli"] as const;
const sources = readSourceTree(".");

/** Optional peers, which the runtimes load where a person has installed them. */
const optional = ["@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu", "webgpu"];

const nameOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

describe.each(packages)("the npm package of %s", (folder) => {
  const manifest = readManifest(folder);

  it("may be published, with what is compiled and nothing else", () => {
    expect(manifest.private).toBeUndefined();
    expect(manifest.files).toEqual(expect.arrayContaining(["dist/**/*.js", "dist/**/*.d.ts"]));
    expect(manifest.version).toBe(readManifest(".").version);
    for (const path of Object.values(manifest.bin ?? {})) expect(existsSync(join(folder, path))).toBe(true);
  });

  it("depends on all that its code imports, which types alone need not be", () => {
    const own = sources.filter((file) => file.package === folder);
    const dynamic = own.flatMap(({ text }) =>
      [...text.matchAll(/(?<!typeof )\bimport\("([^".][^"]*)"\)/g)].map(([, specifier = ""]) => specifier),
    );
    const packagesOfTree = packages.map((name) => `${name}/`);
    const imported = own
      .flatMap(({ text }) =>
        [...text.matchAll(/^(?:import|export) (?!type )[^;]*?from "([^".][^"]*)";/gm)].map(([, specifier = ""]) => specifier),
      )
      .concat(dynamic)
      .filter((specifier) => !packagesOfTree.some((prefix) => specifier.startsWith(prefix)))
      .filter((specifier) => !specifier.startsWith("node:") && !builtinModules.includes(specifier))
      .map(nameOf);
    const declared = [...Object.keys(manifest.dependencies ?? {}), ...optional, manifest.name];
    expect([...new Set(imported)].filter((name) => !declared.includes(name))).toEqual([]);
  });
});
