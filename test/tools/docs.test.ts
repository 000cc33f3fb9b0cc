import { existsSync, readdirSync, readFileSync } from "node:fs";
import { logEvents } from "@fleetmark/shared/log";
import { expect, it } from "vitest";
import { renderLogEvents } from "./log-events.js";

function listPages(): string[] {
  const pages = readdirSync("docs", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
  return [...pages.map((name) => `docs/${name}`), "README.md", "CONTRIBUTING.md"];
}

it("the page of log events is that of the catalogue", () => {
  expect(readFileSync("docs/log-events.md", "utf8")).toBe(renderLogEvents());
});

it("runbooks quote events that exist", () => {
  const quoted = readdirSync("docs/runbooks").flatMap((name) =>
    readFileSync(`docs/runbooks/${name}`, "utf8")
      .split("\n")
      .filter((line) => /\blog\b/.test(line))
      .flatMap((line) => [...line.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, event]) => `${name}: ${event}`)),
  );
  expect(quoted.length).toBeGreaterThan(5);
  expect(quoted.filter((each) => !Object.hasOwn(logEvents, each.slice(each.indexOf(": ") + 2)))).toEqual([]);
});

it("paths into the code that documents name exist", () => {
  const named = listPages().flatMap((page) =>
    [...readFileSync(page, "utf8").matchAll(/`((?:[a-z]+\/)+src\/[^`\s]+)`/g)].map(([, path]) => ({ page, path: path ?? "" })),
  );
  expect(named.length).toBeGreaterThan(20);
  // NAME and KIND stand for whatever is added.
  expect(named.filter(({ path }) => !/NAME|KIND/.test(path) && !existsSync(path))).toEqual([]);
});

it("links between documents lead somewhere", () => {
  const broken = listPages().flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, link]) => new URL(link ?? "", `file:///${path}`).pathname.slice(1))
      .filter((target) => !existsSync(target))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});
