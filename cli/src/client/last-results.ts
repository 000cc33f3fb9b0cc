import type { Result } from "@fleetmark/shared/model/result";
import type { ResultFilter, Source } from "./source.js";

/** The most records that one page holds. */
const pageSize = 1000;

/** What lies further back than so many records is not looked for: 500 hosts give as many in a month. */
const mostRecords = 200_000;

/** Names the series that a result belongs to. */
export function identifySeries({ host, name }: Pick<Result, "host" | "name">): string {
  return JSON.stringify([host, name]);
}

/** Reads results page by page, the newest first, each once. */
async function* readPages(source: Pick<Source, "readNewest">, filter: ResultFilter): AsyncGenerator<Result> {
  const seen = new Set<string>();
  let beforeUs: number | undefined;
  while (seen.size < mostRecords) {
    const page = await source.readNewest(filter, { beforeUs, limit: pageSize });
    const fresh = page.filter((result) => !seen.has(`${result.time_us} ${identifySeries(result)}`));
    for (const result of fresh) seen.add(`${result.time_us} ${identifySeries(result)}`);
    yield* fresh;
    const lastUs = page.at(-1)?.time_us;
    if (page.length < pageSize || lastUs === undefined) return;
    // Others may share the time of the last one: it is asked for again, unless nothing else is left of that time.
    beforeUs = fresh.length > 0 ? lastUs + 1 : lastUs;
  }
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
  for await (const result of readPages(source, filter)) {
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
