import { z } from "zod";
import { matchGlob } from "../model/glob.js";
import type { Labels } from "./alert.js";

/** What a silence is of: alerts whose labels match all of these; the name of an alert is its label `alert`. */
export const silenceMatchersSchema = z.record(z.string(), z.string().min(1).max(1000)).superRefine((matchers, context) => {
  const labels = Object.keys(matchers);
  const issue = (message: string): void => context.addIssue({ code: "custom", message });
  if (labels.length === 0) issue("must name at least one label: a silence of everything is none");
  for (const label of labels) {
    if (!/^[a-z_]{1,40}$/.test(label)) issue(`${label} is no label such as host, hw_class, kpi, benchmark or alert`);
  }
});

export type SilenceMatchers = z.infer<typeof silenceMatchersSchema>;

export interface Silence {
  readonly matchers: SilenceMatchers;
  /** Microseconds since the Unix epoch. */
  readonly from_us: number;
  readonly until_us: number;
}

/** No silence lasts for longer: one that was forgotten must end. */
export const longestSilenceS = 90 * 86_400;

/** Whether a silence holds for an alert now. */
export function isSilenced(silence: Silence, name: string, labels: Labels, nowUs: number): boolean {
  if (nowUs < silence.from_us || nowUs >= silence.until_us) return false;
  const all: Labels = { ...labels, alert: name };
  return Object.entries(silence.matchers).every(([label, glob]) => all[label] !== undefined && matchGlob(glob, all[label]));
}
