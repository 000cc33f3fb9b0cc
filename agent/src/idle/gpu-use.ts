import type { Point } from "@fleetmark/shared/model/series";

/** What the host's cards do, by the points of the probe that watches them anyway: no tool is asked for it again. */
export interface GpuUse {
  note(points: readonly Point[]): void;
  /** Says what a card does that makes the host busy; undefined where nothing is known of any, or all are idle. */
  findBusy(nowUs: number, most: { readonly utilizationPercent: number }): string | undefined;
}

/** What was seen of a card is no word on it after so long, in microseconds: the probe may be off or stretched. */
const forgottenAfterUs = 180e6;

export function createGpuUse(): GpuUse {
  const cards = new Map<string, { timeUs: number; utilization: number; processes: number }>();
  return {
    note: (points) => {
      for (const { measurement, tags, fields, timeUs } of points) {
        if (measurement !== "nvidia_smi") continue;
        const read = (field: string): number => (typeof fields[field] === "number" ? fields[field] : 0);
        cards.set(tags.index ?? "", { timeUs, utilization: read("utilization_gpu"), processes: read("process_count") });
      }
    },
    findBusy: (nowUs, { utilizationPercent }) => {
      for (const [index, { timeUs, utilization, processes }] of cards) {
        if (nowUs - timeUs > forgottenAfterUs) continue;
        if (processes > 0) return `GPU ${index} has ${processes} processes`;
        if (utilization > utilizationPercent) return `GPU ${index} is ${utilization} % busy`;
      }
      return undefined;
    },
  };
}
