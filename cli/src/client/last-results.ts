import type { Result } from "@fleetmark/shared/model/result";
import { readPages } from "./pages.js";
import type { ResultFilter, Source } from "./source.js";

/** Names the series that a result belongs to. */
export function identifySeries({ host, name }: Pick<Result, "host" | "name">): string {
  return JSON.stringify([host, name]);
}

/** Reads the last results of each benchmark on each host, so many of each at most, the newest first. */
export async function readLastOfEach(
  source: Pick<Source, "readNewest" | "readResults">,
  filter: ResultFilter,
  count: number,
  isWanted: (result: Result) => boolean = () => true,
): Promise<readonly Result[]> {
  const counts = new Map<string, number>();
  for (const result of await source.readResults(filter)) if (isWanted(result)) counts.set(identifySeries(result), 0);
  let open = counts.size;
  const found: Result[] = [];
  if (open === 0) return found;
  const pages = readPages(
    (page) => source.readNewest(filter, page),
    (result) => `${result.time_us} ${identifySeries(result)}`,
  );
  for await (const result of pages) {
    const series = identifySeries(result);
    const before = counts.get(series);
    if (before === undefined || before >= count) continue;
    found.push(result);
    counts.set(series, before + 1);
    if (before + 1 === count) open--;
    if (open === 0) break;
  }
  return found;
}
