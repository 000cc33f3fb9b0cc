import { randomUUID } from "node:crypto";
import { isSilenced, longestSilenceS, type SilenceMatchers } from "@fleetmark/shared/alerting/silence";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { type SilenceRecord, silenceRecord } from "@fleetmark/shared/records/alert";
import { type RecordOptions, recordOwn } from "../records/own-records.js";
import type { StoreReader } from "../store/store.js";

/** What somebody wants to hear nothing of for a while. */
export interface SilenceOrder {
  readonly matchers: SilenceMatchers;
  readonly for_s: number;
  readonly reason: string;
}

/** What is silenced, by whom, until when and why. */
export interface Silences {
  /** Those that hold now, as far as they were read. */
  list(nowUs: number): readonly SilenceRecord[];
  /** @throws FleetmarkError REQUEST_INVALID, STORE_FAILED */
  add(order: SilenceOrder, by: string, nowUs: number): Promise<SilenceRecord>;
  /** @throws FleetmarkError REQUEST_INVALID where there is none of this id, STORE_FAILED */
  end(id: string, by: string, nowUs: number): Promise<SilenceRecord>;
  isSilenced(alert: { readonly name: string; readonly labels: Readonly<Record<string, string>> }, nowUs: number): boolean;
  /** Reads what others have decided. @throws FleetmarkError STORE_FAILED */
  read(): Promise<void>;
}

export interface SilencesOptions {
  readonly records: RecordOptions;
  readonly store: Pick<StoreReader, "readLatest">;
}

export function createSilences({ records, store }: SilencesOptions): Silences {
  const known = new Map<string, SilenceRecord>();
  const keep = (silence: SilenceRecord): void => {
    if ((known.get(silence.id)?.time_us ?? -1) <= silence.time_us) known.set(silence.id, silence);
  };
  const list = (nowUs: number): SilenceRecord[] => [...known.values()].filter(({ until_us }) => until_us > nowUs);
  return {
    list,
    add: async ({ matchers, for_s, reason }, by, nowUs) => {
      if (!(for_s > 0 && for_s <= longestSilenceS)) {
        throw new FleetmarkError("REQUEST_INVALID", `for_s: a silence lasts for at most ${longestSilenceS / 86_400} days`);
      }
      const until_us = nowUs + Math.round(for_s * 1e6);
      const silence = { id: randomUUID().slice(0, 8), time_us: nowUs, matchers, from_us: nowUs, until_us, by, reason };
      await recordOwn(records, silenceRecord, silence);
      keep(silence);
      return silence;
    },
    end: async (id, by, nowUs) => {
      const silence = list(nowUs).find((each) => each.id === id);
      if (silence === undefined) throw new FleetmarkError("REQUEST_INVALID", `id: no silence ${id} holds now`);
      const ended = { ...silence, time_us: nowUs, until_us: nowUs, by };
      await recordOwn(records, silenceRecord, ended);
      keep(ended);
      return ended;
    },
    isSilenced: ({ name, labels }, nowUs) => list(nowUs).some((silence) => isSilenced(silence, name, labels, nowUs)),
    read: async () => {
      for (const silence of await store.readLatest(silenceRecord, {})) keep(silence);
    },
  };
}
