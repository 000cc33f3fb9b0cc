import type { DuckDBConnection } from "@duckdb/node-api";

/**
 * The engine keeps every block of its file that it has written or read, up to its memory limit: within hours it holds
 * a gigabyte that nobody asks for. It has no other bound for that than the limit itself, which a large query needs.
 * So the limit is lowered for some milliseconds now and then, while nothing else asks: that makes the engine let go
 * of blocks, which the system's own cache still has.
 */
export interface BlockCache {
  /** Says that something is asked of the engine, until what is returned is called. */
  enter(): Promise<() => void>;
  /** Lets go of what is too much, if it is time and nobody asks; whoever asks meanwhile waits. */
  trim(connection: DuckDBConnection): Promise<void>;
}

/** Of the engine: what it may use for whatever is asked of it. */
export const memoryLimit = "1GB";
/** What it may keep. */
const keptLimit = "32MB";
const everyMs = 30_000;

export function createBlockCache(intervalMs = everyMs): BlockCache {
  let asking = 0;
  let trimming: Promise<void> | undefined;
  let trimmedAt = performance.now();

  const lowerAndRaise = async (connection: DuckDBConnection): Promise<void> => {
    // It refuses where more is in use than that, such as rows that wait for their checkpoint, and then has let go of
    // what it could.
    await connection.run(`SET memory_limit = '${keptLimit}'`).catch(() => {});
    // A file that fails here fails at the next write, and is opened anew with the limit as it was.
    await connection.run(`SET memory_limit = '${memoryLimit}'`).catch(() => {});
  };

  return {
    async enter() {
      // Counted in the same turn in which nothing was being trimmed, so that no trim begins between.
      while (trimming !== undefined) await trimming;
      asking++;
      return () => {
        asking--;
      };
    },
    async trim(connection) {
      if (asking > 0 || performance.now() - trimmedAt < intervalMs) return;
      trimmedAt = performance.now();
      trimming = lowerAndRaise(connection);
      await trimming;
      trimming = undefined;
    },
  };
}
