import { alertCatalogue, fillIn } from "@fleetmark/shared/alerting/catalogue";
import type { StoreReader } from "../store/store.js";
import { allKnown, type Sight, usualKeepS, type Watcher } from "./breaches.js";

const minuteUs = 60e6;
const dayUs = 86_400e6;
/** Between two looks, microseconds. */
const lookEveryUs = minuteUs;
const facts = alertCatalogue.collector_down;

/** When each collector that writes to a store last wrote of itself, to the minute; those of a day. */
export async function readCollectors(
  store: Pick<StoreReader, "history">,
  nowUs: number,
  backUs = dayUs,
): Promise<Map<string, number>> {
  const about = { measurement: "collector", field: "rss_bytes", tags: {}, aggregate: "last", maxPoints: 200_000 } as const;
  const histories = await store.history({ ...about, fromUs: nowUs - backUs, toUs: nowUs + 1, bucketUs: minuteUs });
  return new Map(histories.map(({ tags, points }) => [tags.host ?? "", points.at(-1)?.[0] ?? 0]));
}

/** Watches for other collectors of the same store that are not heard of. */
export function createCollectorWatcher(store: Pick<StoreReader, "history">): Watcher {
  let seen: { readonly atUs: number; readonly sight: Sight } | undefined;
  const look = async (nowUs: number): Promise<Sight> => {
    if (seen !== undefined && Math.abs(nowUs - seen.atUs) < lookEveryUs) return seen.sight;
    const silent = [...(await readCollectors(store, nowUs))].filter(([, us]) => nowUs - us > facts.threshold * 1e6);
    const { title: name, severity, runbook, forS, threshold, summary, description } = facts;
    const breaches = silent.map(([host, us]) => ({
      ...{ name, severity, runbook, forS, keepS: usualKeepS, threshold, labels: { host }, sinceUs: us },
      value: Math.round((nowUs - us) / 1e6),
      summary: fillIn(summary, () => host),
      description: fillIn(description, () => host),
    }));
    seen = { atUs: nowUs, sight: { breaches, isUnknown: allKnown } };
    return seen.sight;
  };
  return { tellsOf: (name) => name === facts.title, look };
}
