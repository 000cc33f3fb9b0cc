import { fileURLToPath } from "node:url";
import { z } from "zod";
import { runTool } from "./tool-runner.js";

/*
 * Looks at a folder from a process of its own. What lies on a server that does not answer any more holds whoever
 * touches
 * it for ever, and a thread of Node that is held so keeps its process from ending.
 */

const programPath = fileURLToPath(new URL("./folder-check-child.js", import.meta.url));

/** What was found of a folder that can be written. */
export const folderSpaceSchema = z.object({
  free_bytes: z.number().describe("that this user may still write there"),
  total_bytes: z.number(),
});

export type FolderSpace = z.infer<typeof folderSpaceSchema>;

export type FolderCheck =
  | { readonly ok: true; readonly space: FolderSpace }
  /** In the system's words. */
  | { readonly ok: false; readonly reason: string };

/**
 * `make`: it is made if it is missing; `look`: nothing is made, and the nearest folder above it that is there counts.
 */
export type FolderCheckMode = "make" | "look";

/**
 * Checks that a file can be written into a folder, and how much room there is, within so many seconds. Never throws.
 */
export async function checkFolder(path: string, mode: FolderCheckMode, deadlineS = 5): Promise<FolderCheck> {
  const outcome = await runTool(`folder ${path}`, process.execPath, [programPath, mode, path], { deadlineS });
  if (outcome.state !== "ok") return { ok: false, reason: explain(outcome.state, outcome.reason) };
  const answer: unknown = JSON.parse(outcome.stdout);
  const space = folderSpaceSchema.safeParse(answer);
  return space.success ? { ok: true, space: space.data } : { ok: false, reason: String((answer as { reason?: unknown }).reason) };
}

function explain(state: string, reason: string): string {
  const isSilent = state === "timed_out" || state === "hung";
  return isSilent ? `it does not answer (${reason}): what it is mounted from may be gone` : reason;
}
