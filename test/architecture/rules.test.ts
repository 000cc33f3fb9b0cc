import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { longFunctions, wideFolders } from "./exceptions.js";
import { countFilesByFolder, findCircles, findMutualFolders } from "./figures.js";
import { packages, readSourceTree, type SourceFile } from "./source-tree.js";

/** How the code is laid out. docs/architecture.md shows it as a picture; these are its rules. */

const files = readSourceTree(".");
const longestFunction = 60;
const widestFolder = 15;
const longestComment = 120;

/** What each package may import, besides itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  bench: ["shared"],
  agent: ["shared", "bench"],
  collector: ["shared"],
  cli: ["shared", "bench", "agent", "collector"],
  "deploy/grafana": ["shared"],
};

/** Rooms of shared that a browser loads. */
const browserRooms = ["api", "judgement", "model", "records", "stats"];

const byPath = new Map(files.map((file) => [file.path, file]));

function isBrowserRoom({ package: name, folder }: SourceFile): boolean {
  return name === "shared" && browserRooms.includes(folder.split("/")[0] ?? "");
}

const packageOf = (path: string): string | undefined => packages.find((name) => path.startsWith(`${name}/src/`));

describe("imports", () => {
  it("run one way between packages", () => {
    const backwards = files.flatMap((file) =>
      file.imports
        .filter((path) => {
          const target = packageOf(path);
          return target !== undefined && target !== file.package && !allowed[file.package]?.includes(target);
        })
        .map((path) => `${file.path} imports ${path}`),
    );
    expect(backwards).toEqual([]);
  });

  it("of another package go by its name", () => {
    const paths = files.flatMap((file) => {
      const others = [...file.text.matchAll(/from "(\.\.?\/[^"]+)"/g)].map(([, specifier]) => specifier);
      const depth = file.folder === "" ? 0 : file.folder.split("/").length;
      return others
        .filter((specifier) => (specifier.match(/\.\.\//g) ?? []).length > depth)
        .map((each) => `${file.path}: ${each}`);
    });
    expect(paths).toEqual([]);
  });

  it("form no circle", () => {
    expect(findCircles(files)).toEqual([]);
  });

  it("run one way between folders", () => {
    expect(packages.flatMap((name) => findMutualFolders(files.filter((file) => file.package === name)))).toEqual([]);
  });

  it("never climb from a room to the roof, the files directly in src; shared stands on them instead", () => {
    const isRoof = (path: string): boolean => byPath.get(path)?.folder === "";
    const climbing = files.flatMap((file) => {
      const climbs = (path: string): boolean => {
        if (packageOf(path) !== file.package) return false;
        return file.package === "shared" ? file.folder === "" && !isRoof(path) : file.folder !== "" && isRoof(path);
      };
      return file.imports.filter(climbs).map((path) => `${file.path} imports ${path}`);
    });
    expect(climbing).toEqual([]);
  });

  it("of rooms that a browser loads lead to no Node", () => {
    const reached = new Set(files.filter(isBrowserRoom).map(({ path }) => path));
    // A set is walked on as it grows.
    for (const path of reached) for (const next of byPath.get(path)?.imports ?? []) if (byPath.has(next)) reached.add(next);
    const bound = [...reached].filter((path) => {
      const { imports = [], text = "" } = byPath.get(path) ?? {};
      return imports.some((specifier) => specifier.startsWith("node:")) || /\b(Buffer|process)\b\s*[.(]/.test(text);
    });
    expect(bound).toEqual([]);
  });
});

describe("shapes", () => {
  it(`keep functions within ${longestFunction} lines`, () => {
    const long = files.flatMap(({ path, functions }) =>
      functions.filter(({ lines }) => lines > longestFunction).map(({ name }) => `${path} ${name}`),
    );
    expect(long.sort()).toEqual(Object.keys(longFunctions).sort());
  });

  it(`keep folders within about ${widestFolder} files, and three deep`, () => {
    const wide = countFilesByFolder(files).filter(([, count]) => count > widestFolder);
    expect(wide.map(([folder]) => folder).sort()).toEqual(Object.keys(wideFolders).sort());
    expect(files.filter(({ folder }) => folder.split("/").length > 3).map(({ path }) => path)).toEqual([]);
  });

  it(`keep files within 400 lines, and lines of comments within ${longestComment} characters`, () => {
    expect(files.filter(({ lines }) => lines > 400).map(({ path }) => path)).toEqual([]);
    const wide = files.flatMap(({ path, text }) =>
      text
        .split("\n")
        .flatMap((line, i) => (/^\s*(\/\*\*|\*|\/\/)/.test(line) && line.length > longestComment ? [`${path}:${i + 1}`] : [])),
    );
    expect(wide).toEqual([]);
  });

  it("name files by kebab-case nouns", () => {
    expect(files.filter(({ path }) => !/^[a-z0-9-]+\.ts$/.test(path.slice(path.lastIndexOf("/") + 1)))).toEqual([]);
  });
});

describe("tests", () => {
  it("are not known to the code, nor where it was compiled from", () => {
    const knowing = files.filter(({ text }) =>
      /["'`/](src|dist)\/|\.test\.js|from "vitest"/.test(text.replaceAll(/^\s*(\/\*\*|\*|\/\/).*$/gm, "")),
    );
    expect(knowing.map(({ path }) => path)).toEqual([]);
  });

  it("are left out of the builds", () => {
    const building = packages.filter(
      (name) => !JSON.parse(readFileSync(`${name}/tsconfig.json`, "utf8")).exclude?.includes("src/**/*.test.ts"),
    );
    expect(building).toEqual([]);
  });

  it("enter packages by one door, what is compiled", () => {
    const paths = readdirSync("test", { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.startsWith("dist"))
      .map((path) => `test/${path}`);
    const passing = paths.filter((path) =>
      /from "(\.\.\/)+((shared|bench|agent|collector|cli)|deploy\/grafana)\/(src|dist)\//.test(readFileSync(path, "utf8")),
    );
    expect(passing).toEqual([]);
  });
});
