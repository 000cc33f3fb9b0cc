import { runTool } from "@fleetmark/shared/tools/tool-runner";

/** Seconds within which Node must have listed its flags. */
const deadlineS = 5;

/** Reads the names of V8's flags off `node --v8-options`: `  --liftoff (enable Liftoff, …)`. */
export function parseFlags(stdout: string): Set<string> {
  return new Set([...stdout.matchAll(/^\s+--([a-z0-9-]+) \(/gm)].map(([, name]) => name));
}

/** Asked once, as it costs a process. */
let listing: Promise<Set<string>> | undefined;

async function listFlags(): Promise<Set<string>> {
  const outcome = await runTool("node --v8-options", process.execPath, ["--v8-options"], { deadlineS });
  return outcome.state === "ok" ? parseFlags(outcome.stdout) : new Set();
}

/**
 * Returns those of the flags that this Node's V8 knows: V8 drops flags as it changes, and a process that is given one
 * that it does not know ends at once. All of them where V8 does not list its flags.
 */
export async function keepKnownFlags(flags: readonly string[]): Promise<readonly string[]> {
  if (flags.length === 0) return flags;
  listing ??= listFlags();
  const known = await listing;
  const nameOf = (flag: string): string => flag.replace(/^--/, "").replace(/=.*$/, "").replaceAll("_", "-");
  const isKnown = (name: string): boolean => known.has(name) || known.has(name.replace(/^no-?/, ""));
  return known.size === 0 ? flags : flags.filter((flag) => isKnown(nameOf(flag)));
}
