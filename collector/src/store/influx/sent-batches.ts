import { type Batch, batchKey } from "@fleetmark/shared/model/batch";

/**
 * What this process has written of late, so that a batch that comes again is not written over itself. It goes by name
 * and content: two batches may bear one name, where a machine was cloned or set back, and both are to be stored.
 */
export type SentBatches = Set<string>;

/** What comes again comes soon, after an acknowledgement was lost; what does not is written once more. */
const mostRemembered = 20_000;

function contentKey({ id, digest }: Batch): string {
  return `${digest} ${batchKey(id)}`;
}

/** Leaves out batches that were sent already, and those that come twice. */
export function selectUnsent(sent: ReadonlySet<string>, batches: readonly Batch[]): Batch[] {
  const inGroup = new Set<string>();
  return batches.filter((batch) => {
    const key = contentKey(batch);
    if (inGroup.has(key) || sent.has(key)) return false;
    inGroup.add(key);
    return true;
  });
}

/** Records batches as sent, and forgets the eldest. */
export function rememberSent(sent: SentBatches, batches: readonly Batch[]): void {
  for (const batch of batches) sent.add(contentKey(batch));
  for (const eldest of sent) {
    if (sent.size <= mostRemembered) break;
    sent.delete(eldest);
  }
}
