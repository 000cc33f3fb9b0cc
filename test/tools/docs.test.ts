import { existsSync, readdirSync, readFileSync } from "node:fs";
import { logEvents } from "@fleetmark/shared/log";
import { expect, it } from "vitest";
import { renderLogEvents } from "./log-events.js";

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

it("links between documents lead somewhere", () => {
  const pages = readdirSync("docs", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
  const broken = [...pages.map((name) => `docs/${name}`), "README.md", "CONTRIBUTING.md"].flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, link]) => new URL(link ?? "", `file:///${path}`).pathname.slice(1))
      .filter((target) => !existsSync(target))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});
