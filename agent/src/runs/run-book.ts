import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { writeWholeFile } from "@fleetmark/shared/tools/whole-file";
import { waitAtMost } from "@fleetmark/shared/waiting";
import { z } from "zod";
import { runRequestSchema } from "./run-request.js";

/**
 * What of runs outlives the agent's process, in one file beside the spool that is written as a whole: so a start that
 * was dealt with and the run that came of it are kept together, or neither is.
 *
 *   handled    of each schedule the last start that was dealt with: nothing starts twice
 *   measured   of each suite when it was last measured to its end
 *   waiting    runs that have not begun: the next process goes on waiting
 *   current    the run under way: the next process records it as cut short, and does not begin it again
 *   answers    to commands: one that comes again is answered as before, by whatever process, and not done again
 */

const time = z.int().nonnegative();

export const currentRunSchema = z.object({
  request: runRequestSchema,
  started_us: time,
  seen_us: time.describe("when it was last seen at work"),
  hw_class: z.string(),
  total: time,
  completed: time,
  fingerprint: z.record(z.string(), z.string()),
});

export type CurrentRun = z.infer<typeof currentRunSchema>;

/** What became of a command. */
export const commandAnswerSchema = z.object({
  id: z.string(),
  done: z.boolean(),
  code: z.string().describe("empty when done"),
  message: z.string(),
  resultJson: z.string().describe("a JSON object; empty where there is nothing to tell"),
});

export type CommandAnswer = z.infer<typeof commandAnswerSchema>;

const bookSchema = z.object({
  handled: z.record(z.string(), z.number()).default({}),
  waiting: z.array(runRequestSchema).default([]),
  measured: z.record(z.string(), z.number()).default({}),
  current: currentRunSchema.nullable().default(null),
  answers: z.array(commandAnswerSchema.extend({ expires_us: time })).default([]),
});

export type RunBookPages = z.infer<typeof bookSchema>;

/** The book, open. Change the pages, then keep them. */
export interface RunBook {
  readonly pages: RunBookPages;
  /** Writes the pages as they are now. Resolves with whether they are on the disk. */
  keep(): Promise<boolean>;
}

const fileName = "runs.json";

/** Seconds after which a disk that does not answer counts as one that can't be written. */
const patienceS = 5;

/** What can't be read is set aside under another name, and said: nothing is known of what it held. */
async function readPages(path: string, logger: Logger): Promise<RunBookPages> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") logger.error({ event: "run_book_unreadable", err: thrown, path });
    return bookSchema.parse({});
  }
  try {
    return bookSchema.parse(JSON.parse(text));
  } catch (thrown) {
    logger.error(
      { event: "run_book_unreadable", path },
      `what was known of runs is set aside: ${errorMessage(thrown).slice(0, 500)}`,
    );
    await rename(path, `${path}.damaged`).catch(() => {});
    return bookSchema.parse({});
  }
}

/** Opens the book in the spool's folder, which must be locked. */
export async function openRunBook(folder: string, logger: Logger): Promise<RunBook> {
  const path = join(folder, fileName);
  const pages = await readPages(path, logger);
  let isKept = true;
  let writing: Promise<boolean> = Promise.resolve(true);
  let next: Promise<boolean> | undefined;

  const write = async (): Promise<boolean> => {
    let failure: unknown = new Error(`the disk did not answer within ${patienceS} s`);
    const written = writeWholeFile(path, `${JSON.stringify(pages)}\n`).then(
      () => {
        failure = undefined;
      },
      (thrown) => {
        failure = thrown;
      },
    );
    await waitAtMost(written, patienceS);
    const isWritten = failure === undefined;
    if (!isWritten && isKept) logger.error({ event: "run_book_unwritable", err: failure, path }, "runs can't be remembered");
    isKept = isWritten;
    return isWritten;
  };

  return {
    pages,
    // Whoever asks while a write is under way shares the one after it, which holds what they changed.
    keep: () => {
      next ??= writing.then(() => {
        next = undefined;
        writing = write();
        return writing;
      });
      return next;
    },
  };
}
