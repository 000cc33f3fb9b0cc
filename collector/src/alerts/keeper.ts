import type { Logger } from "@fleetmark/shared/log";
import { alertRecord, notificationRecord } from "@fleetmark/shared/records/alert";
import type { RecordKind } from "@fleetmark/shared/records/record-kind";
import { type RecordOptions, recordOwn } from "../records/own-records.js";

/** Records of a kind that wait until the store has taken them. */
function createOutbox<R>(records: RecordOptions, kind: RecordKind<R>) {
  let waiting: readonly R[] = [];
  return {
    add: (...added: readonly R[]): void => {
      waiting = [...waiting, ...added];
    },
    /** @throws FleetmarkError STORE_FAILED; what waits goes on waiting */
    write: async (): Promise<void> => {
      const written = waiting;
      if (written.length === 0) return;
      await recordOwn(records, kind, ...written);
      // What was added meanwhile stands behind it.
      waiting = waiting.slice(written.length);
    },
  };
}

/** Keeps transitions and what was told until the store has taken them. */
export function createKeeper(records: RecordOptions, logger: Logger) {
  const alerts = createOutbox(records, alertRecord);
  const notifications = createOutbox(records, notificationRecord);
  let isFailing = false;
  let saving: Promise<void> = Promise.resolve();
  const write = async (): Promise<void> => {
    try {
      await alerts.write();
      await notifications.write();
      isFailing = false;
    } catch (thrown) {
      if (!isFailing) logger.warn({ event: "alerts_not_recorded", err: thrown }, "transitions of alerts can't be stored yet");
      isFailing = true;
    }
  };
  return {
    alerts,
    notifications,
    /** One at a time, each with what was added before it. */
    save: (): Promise<void> => {
      saving = saving.then(write);
      return saving;
    },
  };
}
