import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { errorMessage, FleetmarkError } from "../errors.js";
import { findNearest } from "../model/nearest.js";
import { isServiceLink } from "./service-links.js";

export { findNearest } from "../model/nearest.js";
export { type Address, addressSchema, byteSizeSchema, durationSchema, formatAddress } from "../model/units.js";

/** One leaf of a configuration schema, under each of its names. */
export interface ConfigKey {
  /** `telemetry.interval` in the file. */
  readonly path: string;
  /** `FLEETMARK_TELEMETRY_INTERVAL` in the environment. */
  readonly variable: string;
  /** `--telemetry-interval` on the command line. */
  readonly flag: string;
  readonly description: string;
  /** The default as JSON, absent where the key has none. */
  readonly default: string | undefined;
  /** The JSON type that a value given as text is read as. */
  readonly type: "string" | "number" | "boolean" | "array";
  /** Whether it names files whose relative paths count from the configuration's own file, where it stands in one. */
  readonly isBesideFile: boolean;
}

/** Where the values of a configuration come from; later ones win: file, environment, flags. */
export interface ConfigSources {
  readonly file?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By path: `{ "telemetry.interval": "5s" }`. */
  readonly flags: Readonly<Record<string, string>>;
}

type Tree = { [key: string]: unknown };

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface JsonSchemaNode {
  type?: string;
  properties?: Record<string, JsonSchemaNode>;
  description?: string;
  default?: unknown;
  /** By `.meta({ relativeTo: "file" })` of a schema. */
  relativeTo?: string;
}

/** Returns the JSON Schema of a configuration file. */
export function configJsonSchema(schema: z.ZodObject): Record<string, unknown> {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
}

function readType(type: string | undefined): ConfigKey["type"] {
  if (type === "integer" || type === "number") return "number";
  return type === "boolean" || type === "array" ? type : "string";
}

/** Lists every leaf of a configuration schema, in the schema's order. */
export function listConfigKeys(schema: z.ZodObject): ConfigKey[] {
  const keys: ConfigKey[] = [];
  const visit = (node: JsonSchemaNode, path: string[]): void => {
    for (const [name, child] of Object.entries(node.properties ?? {})) {
      if (child.properties !== undefined) {
        visit(child, [...path, name]);
        continue;
      }
      const full = [...path, name];
      keys.push({
        path: full.join("."),
        variable: `FLEETMARK_${full.join("_").toUpperCase()}`,
        flag: `--${full.join("-").replaceAll("_", "-")}`,
        description: child.description ?? "",
        default: child.default === undefined ? undefined : JSON.stringify(child.default),
        type: readType(child.type),
        isBesideFile: child.relativeTo === "file",
      });
    }
  };
  visit(configJsonSchema(schema) as JsonSchemaNode, []);
  return keys;
}

function readFile(path: string): Tree {
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new FleetmarkError("CONFIG_UNREADABLE", `${path}: ${errorMessage(cause)}`, { cause });
  }
  if (parsed === null || parsed === undefined) return {};
  if (!isTree(parsed)) throw new FleetmarkError("CONFIG_INVALID", `${path}: a configuration is a mapping of keys to values`);
  return parsed;
}

/** Reads a list as JSON, or as words between commas: `[::1]:4222` begins like the one and is the other. */
function readList(text: string): unknown {
  if (text === "") return [];
  try {
    if (text.trimStart().startsWith("[")) return JSON.parse(text);
  } catch {
    // They are words.
  }
  return text.split(",").map((part) => part.trim());
}

/**
 * Reads a value given as text as the type that its key wants; what does not fit stays text, for the schema to refuse.
 */
function readText(text: string, type: ConfigKey["type"]): unknown {
  if (type === "array") return readList(text);
  if (type === "number" && text.trim() !== "" && !Number.isNaN(Number(text))) return Number(text);
  if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

function setPath(tree: Tree, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop() as string;
  let node = tree;
  for (const name of names) {
    const child = node[name];
    node[name] = isTree(child) ? { ...child } : {};
    node = node[name] as Tree;
  }
  node[last] = value;
}

/** Makes the paths of keys that say so count from the folder of the configuration's file. */
function placeBesideFile(tree: Tree, keys: readonly ConfigKey[], file: string): void {
  const place = (value: unknown): unknown => (typeof value === "string" && value !== "" ? resolve(dirname(file), value) : value);
  for (const { path, isBesideFile } of keys) {
    if (!isBesideFile) continue;
    const names = path.split(".");
    const value = names.reduce<unknown>((node, name) => (isTree(node) ? node[name] : undefined), tree);
    if (value !== undefined) setPath(tree, path, Array.isArray(value) ? value.map(place) : place(value));
  }
}

function explainIssue(
  issue: z.core.$ZodIssue,
  keys: readonly ConfigKey[],
  origins: ReadonlyMap<string, string>,
  file: string,
): string {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const unknown = [...issue.path, issue.keys[0]].join(".");
    const nearest = findNearest(
      unknown,
      keys.flatMap((key) => [key.path, key.path.split(".")[0]]),
    );
    return `${file}: unknown key ${unknown}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
  }
  return `${findOrigin(issue.path, origins) ?? file}: ${path === "" ? "" : `${path}: `}${issue.message}`;
}

/** Returns what set the key at the path, or the list that holds it. */
function findOrigin(path: readonly PropertyKey[], origins: ReadonlyMap<string, string>): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(path.slice(0, length).join("."));
    if (origin !== undefined) return origin;
  }
  return undefined;
}

/**
 * Loads a configuration from its file, the environment and the flags, in rising order of weight, checked by its schema.
 * @throws FleetmarkError CONFIG_UNREADABLE, CONFIG_INVALID naming where the wrong value came from
 */
export function loadConfig<S extends z.ZodObject>(schema: S, sources: ConfigSources): z.infer<S> {
  const keys = listConfigKeys(schema);
  const tree = sources.file === undefined ? {} : readFile(sources.file);
  if (sources.file !== undefined) placeBesideFile(tree, keys, sources.file);
  const origins = new Map<string, string>();
  for (const key of keys) {
    const fromEnvironment = sources.environment[key.variable];
    const given = sources.flags[key.path] ?? fromEnvironment;
    if (given === undefined) continue;
    setPath(tree, key.path, readText(given, key.type));
    origins.set(key.path, sources.flags[key.path] === undefined ? key.variable : key.flag);
  }
  const parsed = schema.safeParse(tree);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => explainIssue(issue, keys, origins, sources.file ?? "configuration"));
  throw new FleetmarkError("CONFIG_INVALID", lines.join("\n"), { cause: parsed.error });
}

/**
 * What is read beside configurations: the Python of the suite gpu, where Grafana's alerts find their runbooks, the
 * token by which the command line asks a collector, and the authorities that it trusts.
 */
const plainVariables = [
  "FLEETMARK_PYTHON",
  "FLEETMARK_RUNTIMES",
  "FLEETMARK_RUNBOOK_URL",
  "FLEETMARK_TOKEN_FILE",
  "FLEETMARK_CA_FILE",
] as const;

/**
 * Checks that every FLEETMARK_… variable is one that some process reads, or one that Kubernetes sets.
 * @throws FleetmarkError ENVIRONMENT_INVALID naming the nearest known variable
 */
export function checkEnvironment(environment: ConfigSources["environment"], schemas: readonly z.ZodObject[]): void {
  const known = [...plainVariables, ...schemas.flatMap((schema) => listConfigKeys(schema).map((key) => key.variable))];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith("FLEETMARK_") || known.includes(name) || isServiceLink(name, value)) continue;
    const nearest = findNearest(name, known);
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    throw new FleetmarkError("ENVIRONMENT_INVALID", `${name} is not a variable that Fleetmark reads${hint}`);
  }
}
