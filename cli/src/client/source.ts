import type { hostsAnswer } from "@fleetmark/shared/api/answers";
import type { Verdict } from "@fleetmark/shared/judgement/verdict";
import type { HostKpis } from "@fleetmark/shared/model/host-kpis";
import type { Result, Run } from "@fleetmark/shared/model/result";
import type { BaselineRecord } from "@fleetmark/shared/records/baseline";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import type { VerdictMark } from "@fleetmark/shared/records/verdict-mark";
import type { z } from "zod";

export type Host = z.infer<typeof hostsAnswer>[number];

/** Which results are meant; parts that are undefined may be any. */
export interface ResultFilter {
  readonly host?: string | undefined;
  readonly suite?: string | undefined;
  readonly category?: string | undefined;
  /** The name of a workload. */
  readonly benchmark?: string | undefined;
}

/** Which verdicts are meant; parts that are undefined may be any. */
export interface VerdictFilter {
  readonly host?: string | undefined;
  readonly hw_class?: string | undefined;
  readonly benchmark?: string | undefined;
  readonly verdict?: Verdict | undefined;
}

export interface Page {
  /** Those of an earlier time. */
  readonly beforeUs?: number | undefined;
  /** At most 1000. */
  readonly limit: number;
}

/** Where what was measured is read from: a running collector, or what one has stored. */
export interface Source {
  /** What it is, in words: `the collector at 127.0.0.1:7421`. */
  readonly description: string;
  /** Only a running collector knows which hosts are attached. */
  readonly isRunning: boolean;
  readHosts(): Promise<readonly Host[]>;
  /** The newest runs, the newest first. */
  readRuns(filter: Pick<ResultFilter, "host" | "suite">, page: Page): Promise<readonly Run[]>;
  /** The results of a run; without one the latest result of each benchmark on each host. */
  readResults(filter: ResultFilter & { readonly run?: string | undefined }): Promise<readonly Result[]>;
  /** The KPIs of hosts as they were measured: in a run, or by the latest result of each benchmark. */
  readKpis(filter: { readonly host?: string | undefined; readonly run?: string | undefined }): Promise<readonly HostKpis[]>;
  /** The newest results, the newest first. */
  readNewest(filter: ResultFilter, page: Page): Promise<readonly Result[]>;
  /** The latest verdict of each benchmark on each host. */
  readVerdicts(filter: VerdictFilter): Promise<readonly VerdictRecord[]>;
  /** The newest verdicts, the newest first. */
  readNewestVerdicts(
    filter: Pick<VerdictFilter, "host" | "hw_class" | "benchmark">,
    page: Page,
  ): Promise<readonly VerdictRecord[]>;
  /** What people said of verdicts, the newest first. */
  readVerdictMarks(filter: Pick<VerdictFilter, "host" | "benchmark">, page: Page): Promise<readonly VerdictMark[]>;
  /** What was decided of baselines, the latest of each benchmark on each host. */
  readBaselines(host: string | undefined): Promise<readonly BaselineRecord[]>;
  close(): Promise<void>;
}
