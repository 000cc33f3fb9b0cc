import { statfs } from "node:fs/promises";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Mount } from "../host/mountinfo.js";
import type { FileSystemSize } from "./stat-tool.js";

/** Asks file systems of this machine's own disks. */
export interface LocalStatfs {
  /**
   * Undefined while an earlier question has no answer: a process must ask then. Rejects with PROBE_FAILED where the
   * answer is late, and with what statfs(2) says.
   */
  ask(mount: Mount, deadlineS: number): Promise<FileSystemSize> | undefined;
}

/**
 * Creates an asker of local file systems, which answer out of the kernel's memory whatever their disk does, in their
 * own unit. It costs a hundredth of a process, which is most of what an agent at rest would do (`make bench-agent`).
 * Should one hang all the same, it holds one thread of the pool, and no other is asked so from then on.
 */
export function createLocalStatfs(read: typeof statfs = statfs): LocalStatfs {
  let isWaiting = false;
  const answer = async ({ path }: Mount): Promise<FileSystemSize> => {
    isWaiting = true;
    try {
      const { bsize, blocks, bfree, bavail, files, ffree } = await read(Buffer.from(path, "latin1"));
      return { unit: bsize, blocks, bfree, bavail, files, ffree };
    } finally {
      isWaiting = false;
    }
  };
  return {
    ask: (mount, deadlineS) => {
      if (isWaiting) return undefined;
      return new Promise((resolve, reject) => {
        const late = new FleetmarkError("PROBE_FAILED", `no answer within ${deadlineS} s`);
        const timer = setTimeout(() => reject(late), deadlineS * 1000);
        answer(mount)
          .then(resolve, (thrown: unknown) => reject(new Error(errorMessage(thrown), { cause: thrown })))
          .finally(() => clearTimeout(timer));
      });
    },
  };
}
