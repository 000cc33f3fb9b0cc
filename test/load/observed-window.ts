import type { Ack } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { decodeBatch } from "@fleetmark/shared/wire/batch-decoder";
import type { SendWindow } from "#agent/delivery/send-window.js";
import type { Journal } from "./journal.js";
import { groupTag, loadMeasurement, type Shape } from "./sample.js";

/** Reads which points an encoded batch holds: each by its time and its group. */
function readPoints(bytes: Uint8Array, shape: Shape): { epochUs: number; points: [number, number][] } {
  const { id, series, numbers, texts } = decodeBatch(bytes);
  const groups = Array.from({ length: shape.groups }, (_, group) => groupTag(group));
  const points = new Map<string, [number, number]>();
  for (const columns of [numbers, texts]) {
    for (let i = 0; i < columns.series.length; i++) {
      const { measurement, tags } = series[columns.series[i]];
      if (measurement !== loadMeasurement) continue;
      const group = groups.indexOf(tags.group);
      points.set(`${columns.timeUs[i]} ${group}`, [columns.timeUs[i], group]);
    }
  }
  return { epochUs: id.epochUs, points: [...points.values()] };
}

/**
 * Writes down what a window gives out and what it is told, before anyone else acts on it.
 * @param storedAs the name that all of it is stored under; else each batch's own
 */
export function observeWindow(
  window: SendWindow,
  storedAs: string | undefined,
  shape: Shape,
  journal: Journal,
  onAcked: (times: readonly number[]) => void,
): SendWindow {
  const taken = new Map<string, readonly number[]>();
  const nameHost = (id: { host: string } | undefined): string => storedAs ?? id?.host ?? "";
  const record = ({ committed, rejected, refused }: Ack): void => {
    for (const id of committed) {
      // Over NATS twins hear of each other's batches.
      if (storedAs !== undefined && !taken.has(`${id.epochUs}/${id.sequence}`)) continue;
      journal.write({ k: "acked", h: nameHost(id), e: Number(id.epochUs), s: Number(id.sequence), at: Date.now() });
      const key = `${id.epochUs}/${id.sequence}`;
      onAcked(taken.get(key) ?? []);
      taken.delete(key);
    }
    for (const { id, code } of rejected) {
      journal.write({ k: "rejected", h: nameHost(id), e: Number(id?.epochUs), s: Number(id?.sequence), code });
    }
    for (const { id, code, samples } of refused) {
      journal.write({
        k: "refused",
        h: nameHost(id),
        e: Number(id?.epochUs),
        s: Number(id?.sequence),
        code,
        n: samples,
      });
    }
  };
  return {
    get inFlight() {
      return window.inFlight;
    },
    restart: (limit) => window.restart(limit),
    awaits: (id) => window.awaits(id),
    takeNext() {
      const batch = window.takeNext();
      if (batch === undefined) return undefined;
      const { epochUs, points } = readPoints(batch.bytes, shape);
      const key = `${epochUs}/${batch.id.sequence}`;
      if (!taken.has(key)) {
        journal.write({ k: "taken", h: nameHost(batch.id), e: epochUs, s: batch.id.sequence, p: points });
        taken.set(
          key,
          points.map(([time]) => time),
        );
      }
      return batch;
    },
    acknowledge(ack) {
      record(ack);
      window.acknowledge(ack);
    },
  };
}
