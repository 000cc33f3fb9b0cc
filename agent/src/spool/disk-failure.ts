import { errorMessage, systemErrorCode } from "@fleetmark/shared/errors";

/** The disk can't take or give anything now, and may later. */
export class DiskFailure extends Error {
  readonly code: "SPOOL_DISK_FULL" | "SPOOL_UNWRITABLE";

  constructor(thrown: unknown) {
    super(errorMessage(thrown), { cause: thrown });
    this.name = "DiskFailure";
    this.code = ["ENOSPC", "EDQUOT"].includes(systemErrorCode(thrown) ?? "") ? "SPOOL_DISK_FULL" : "SPOOL_UNWRITABLE";
  }
}

/** Does something with the disk; whatever goes wrong there is thrown as DiskFailure. */
export async function tryDisk<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    if (thrown instanceof DiskFailure || systemErrorCode(thrown) === undefined) throw thrown;
    throw new DiskFailure(thrown);
  }
}
