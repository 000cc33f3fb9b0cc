import { z } from "zod";
import { reportFormatNames } from "../report-formats/registry.js";

/** What stands in a suite file, as docs/own-benchmarks.md tells it to those who write one. */

const name = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/, "a name is up to 100 letters, digits, _, - and dots");

/** Both become part of the benchmark's name and of a tag, so they are words and numbers. */
const paramName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "a parameter's name is letters, digits and _");
const paramValue = z.union([
  z.number(),
  z
    .string()
    .regex(/^[^\p{Cc},{}]{0,200}$/u, "a parameter is up to 200 characters, none of them a comma, a brace or a control character"),
]);

const text = z.string().min(1, "must not be empty");

const workload = z
  .strictObject({
    name,
    module: text.describe("an ES module that exports setupTask, or the function that is measured").optional(),
    function: text.describe("the name that the module exports the function by; default: setupTask").optional(),
    command: z
      .array(text)
      .min(1, "names a program and its arguments, such as [python3, simulate.py]")
      .describe("a program that measures itself, and its arguments; no shell lies between")
      .optional(),
    report: z
      .strictObject({
        format: z.enum(reportFormatNames as [string, ...string[]]),
        file: text.describe("where the command leaves it, from this file's folder; default: its standard output").optional(),
        select: text.describe("which benchmark of the report; default: the only one").optional(),
      })
      .describe("what a benchmark tool reports, where it does not speak the protocol")
      .optional(),
  })
  .refine(({ report, command }) => report === undefined || command !== undefined, {
    path: ["report"],
    message: "is that of a command",
  })
  .refine(({ module, command }) => (module === undefined) !== (command === undefined), {
    message: "has either a module or a command",
  })
  .refine((given) => given.function === undefined || given.module !== undefined, {
    path: ["function"],
    message: "is that of a module",
  });

const benchmark = z
  .strictObject({
    name: text.describe("a workload: of this file, or Fleetmark's own").optional(),
    params: z.record(paramName, paramValue).optional(),
    runtime: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, "a runtime is a word such as jax-js")
      .optional(),
    filter: text.describe("Fleetmark's own benchmarks whose full name matches, such as policy_forward*jax-js*").optional(),
  })
  .refine(({ name: given, filter }) => (given === undefined) !== (filter === undefined), {
    message: "has either a name or a filter",
  })
  .refine(({ params, filter }) => params === undefined || filter === undefined, {
    path: ["params"],
    message: "stand in the filter where there is one",
  });

const suite = z.strictObject({
  name,
  description: z.string().max(500).default(""),
  benchmarks: z.array(benchmark).min(1, "names at least one benchmark"),
});

export const suiteFileSchema = z.strictObject({
  workloads: z.array(workload).default([]),
  suites: z.array(suite).min(1, "names at least one suite"),
});

export type SuiteFile = z.infer<typeof suiteFileSchema>;
export type WorkloadEntry = SuiteFile["workloads"][number];
export type BenchmarkEntry = SuiteFile["suites"][number]["benchmarks"][number];
