import { existsSync, readdirSync, readFileSync } from "node:fs";
import { listConfigKeys } from "@fleetmark/shared/config/config";
import { errorCatalogue } from "@fleetmark/shared/errors";
import { describe, expect, it } from "vitest";
import { configSchemas } from "#cli/config/config-schemas.js";
import { buildProgram } from "#cli/program.js";
import { commandEntries } from "#cli/registry.js";
import { readSourceTree } from "../architecture/source-tree.js";
import { checkCommandLine, findCommandLines, findMissingFlag } from "./command-lines.js";

/*
 * Advice is tried: whatever remedies, messages of the help and pages tell people to type, set or read is looked up in
 * the program, the configuration and the documents as they are.
 */

/** The program with every command loaded, as each is when it is called. */
const program = await buildProgram([]);
for (const { name, load } of commandEntries) {
  const command = program.commands.find((each) => each.name() === name);
  if (command !== undefined) (await load())(command);
}
const configKeys = new Set(Object.values(configSchemas).flatMap((schema) => listConfigKeys(schema).map(({ path }) => path)));
const sections = new Set(
  [...configKeys].flatMap((path) =>
    path
      .split(".")
      .slice(0, -1)
      .map((_, i) =>
        path
          .split(".")
          .slice(0, i + 1)
          .join("."),
      ),
  ),
);

const pages = [
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") || name.endsWith(".yml"))
    .map((name) => `docs/${name}`),
  "README.md",
  "CONTRIBUTING.md",
];
const remedies = Object.entries(errorCatalogue).map(([code, { remedy }]) => [code, remedy] as const);

const wrongLines = (text: string): string[] =>
  findCommandLines(text).flatMap((line) => {
    const complaint = checkCommandLine(program, line);
    return complaint === undefined ? [] : [`${line}: ${complaint}`];
  });

describe("a remedy", () => {
  it("names commands and flags that exist", () => {
    expect(remedies.flatMap(([code, remedy]) => wrongLines(remedy).map((each) => `${code}: ${each}`))).toEqual([]);
    expect(remedies.filter(([, remedy]) => findCommandLines(remedy).length > 0).length).toBeGreaterThan(5);
  });

  it("names commands whole: with the flags that they can't do without", () => {
    const lacking = remedies.flatMap(([code, remedy]) =>
      findCommandLines(remedy).flatMap((line) => {
        const flag = findMissingFlag(program, line);
        return flag === undefined ? [] : [`${code}: ${line} lacks ${flag}`];
      }),
    );
    expect(lacking).toEqual([]);
  });

  it("names no flag without its command: which has it, nobody could tell", () => {
    const bare = remedies.filter(([, remedy]) => /(^|[\s(])--[a-z]/.test(remedy.replaceAll(/`[^`]*`/g, "")));
    expect(bare.map(([code]) => code)).toEqual(["USAGE"]);
  });

  it("names keys that configurations have", () => {
    const named = remedies.flatMap(([code, remedy]) =>
      [...remedy.replaceAll(/`[^`]*`|\b(docs|api)\/\S+/g, "").matchAll(/\b([a-z]+(?:\.[a-z_]+)+)\b/g)].map(([, key = ""]) => ({
        code,
        key,
      })),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ key }) => !configKeys.has(key) && !sections.has(key))).toEqual([]);
  });

  it("names pages that are there and speak of it", () => {
    const named = remedies.flatMap(([code, remedy]) =>
      [...remedy.matchAll(/\b(docs\/[a-z0-9/-]+\.md)\b/g)].map(([, page = ""]) => ({ code, page })),
    );
    expect(named.length).toBeGreaterThan(3);
    const silent = named.filter(({ code, page }) => !existsSync(page) || !readFileSync(page, "utf8").includes(code));
    expect(silent).toEqual([]);
  });
});

describe("the help", () => {
  it("shows examples that work", () => {
    const texts: string[] = [];
    const collect = (command: typeof program): void => {
      command.configureOutput({ writeOut: (text) => texts.push(text) });
      command.outputHelp();
      for (const child of command.commands) collect(child as typeof program);
    };
    collect(program);
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.flatMap((text) => wrongLines(text.slice(text.indexOf("Example"))))).toEqual([]);
  });
});

it("messages in the code name commands and flags that exist", () => {
  const wrong = readSourceTree(".").flatMap(({ path, text }) =>
    wrongLines(
      text
        .replaceAll("\\`", "`")
        .replaceAll("${", "…")
        .replaceAll(/`[;,)]/g, ""),
    ).map((each) => `${path}: ${each}`),
  );
  expect(wrong).toEqual([]);
});

it.each(pages)("%s names commands and flags that exist", (page) => {
  expect(wrongLines(readFileSync(page, "utf8"))).toEqual([]);
});

it("pages name keys that configurations have", () => {
  const wrong = pages
    .filter((page) => page.endsWith(".md"))
    .flatMap((page) =>
      [
        ...readFileSync(page, "utf8").matchAll(
          /`((?:spool|telemetry|run|limits|store|grpc|nats|http|collector|log)\.[a-z_.]+)(?:: [^`]*)?`/g,
        ),
      ]
        .map(([, key = ""]) => key)
        .filter((key) => !configKeys.has(key) && !sections.has(key))
        .map((key) => `${page}: ${key}`),
    );
  expect(wrong.filter((each) => !/\.(ts|js|md|yaml|yml|csr|crt|key)$/.test(each))).toEqual([]);
});
