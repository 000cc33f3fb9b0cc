import type { Page } from "./source.js";

/** The most records that one page holds. */
const pageSize = 1000;

/** What lies further back than so many records is not looked for: 500 hosts give as many in a month. */
const mostRecords = 200_000;

/**
 * Reads records page by page, the newest first, each once.
 * @param identify tells records of one time from each other
 */
export async function* readPages<R extends { readonly time_us: number }>(
  read: (page: Page) => Promise<readonly R[]>,
  identify: (record: R) => string,
): AsyncGenerator<R> {
  const seen = new Set<string>();
  let beforeUs: number | undefined;
  while (seen.size < mostRecords) {
    const page = await read({ beforeUs, limit: pageSize });
    const fresh = page.filter((record) => !seen.has(identify(record)));
    for (const record of fresh) seen.add(identify(record));
    yield* fresh;
    const lastUs = page.at(-1)?.time_us;
    if (page.length < pageSize || lastUs === undefined) return;
    // Others may share the time of the last one: it is asked for again, unless nothing else is left of that time.
    beforeUs = fresh.length > 0 ? lastUs + 1 : lastUs;
  }
}
