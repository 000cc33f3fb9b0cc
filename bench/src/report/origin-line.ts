import type { Origin, Result } from "@fleetmark/shared/model/result";

const shownCommit = 12;

/** Writes what was measured in one line: `1a2b3c4d5e6f (main), with changes; pr=12`; empty where nothing is known. */
export function formatOrigin({ commit, branch, dirty, labels = {} }: Origin): string {
  const place = [commit?.slice(0, shownCommit), branch === undefined ? undefined : `(${branch})`].filter(
    (part) => part !== undefined,
  );
  const code = `${place.join(" ")}${dirty === "yes" ? ", with changes" : ""}`;
  const said = Object.entries(labels).map(([key, value]) => (key === "label" ? value : `${key}=${value}`));
  return [code, said.join(", ")].filter((part) => part !== "").join("; ");
}

function readText(value: Result["metadata"][string] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Reads back what a result carries of its origin. */
export function readResultOrigin({ metadata }: Pick<Result, "metadata">): Origin {
  const labels = Object.entries(metadata).flatMap(([key, value]) =>
    key.startsWith("label_") ? [[key.slice("label_".length), String(value)] as const] : [],
  );
  const dirty = metadata.dirty === "yes" || metadata.dirty === "no" ? metadata.dirty : undefined;
  return { commit: readText(metadata.commit), branch: readText(metadata.branch), dirty, labels: Object.fromEntries(labels) };
}

/** Writes what results were measured of, a line for each that is known, with how many results it has. */
export function formatOrigins(results: readonly Result[]): string {
  const counts = new Map<string, number>();
  for (const result of results) {
    const line = formatOrigin(readResultOrigin(result));
    if (line !== "") counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const shown = counts.size === 1 && counts.values().next().value === results.length;
  return [...counts]
    .map(([line, count]) => `measured: ${line}${shown ? "" : ` (${count} of ${results.length} results)`}\n`)
    .join("");
}
