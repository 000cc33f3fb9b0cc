import type { AlertSeverity } from "../model/kpis.js";

/** What an alert is of: its name, and what tells it from others of that name. */
export type Labels = Readonly<Record<string, string>>;

/** Something that is not as it should be, as it was found at one moment. */
export interface Breach {
  /** The title of the alert in the catalogue. */
  readonly name: string;
  readonly severity: AlertSeverity;
  /** What it is of: `host`, `hw_class`, `kpi`, `benchmark`, and the like. With the name they identify the alert. */
  readonly labels: Labels;
  /** How long it must hold before anybody hears of it, seconds. */
  readonly forS: number;
  /** How long it must be clear before it is resolved, seconds: 0 of what each run of a suite tells anew. */
  readonly keepS: number;
  readonly value: number;
  /** What the value is past. */
  readonly threshold: number;
  /** One line: what, and where. */
  readonly summary: string;
  /** How much against what, why as far as is known, and what to look at first. */
  readonly description: string;
  /** A page of docs/runbooks/, without `.md`; empty where there is none. */
  readonly runbook: string;
  /** When it began by what was measured, microseconds since the Unix epoch; the moment that it was found without. */
  readonly sinceUs?: number;
}
