import type { Logger } from "@fleetmark/shared/log";
import type { CampaignRecord } from "@fleetmark/shared/records/campaign";
import type { RecordOptions } from "../records/own-records.js";
import type { StoreReader } from "../store/store.js";
import type { CampaignHosts } from "./campaign-state.js";
import type { Commands } from "./commands.js";
import type { FiringAlerts } from "./firing-alerts.js";

/** What is asked. */
export type CampaignOrder = Pick<
  CampaignRecord,
  | "suite"
  | "benchmarks"
  | "hosts"
  | "hw_class"
  | "at_most"
  | "at_most_percent"
  | "stagger_s"
  | "ttl_s"
  | "patience_s"
  | "pause_while"
  | "at_once"
>;

/** A campaign under way, or of late. */
export interface Campaign {
  readonly id: string;
  readonly order: CampaignOrder;
  readonly by: string;
  readonly askedUs: number;
  readonly hosts: CampaignHosts;
  state: CampaignRecord["state"];
  /** Why no further host is asked at the moment; empty where nothing holds it up. */
  paused: string;
}

export interface CampaignsOptions extends RecordOptions {
  readonly commands: Commands;
  readonly alerts: FiringAlerts;
  readonly store: Pick<StoreReader, "findByText" | "readNewest" | "readLatest" | "readReceived">;
  readonly logger: Logger;
}

/** The campaigns that a collector knows. */
export interface CampaignsState {
  readonly options: CampaignsOptions;
  /** The oldest first; those that ended stay for a while, for whoever asks. */
  readonly campaigns: Map<string, Campaign>;
  /** Those that are being recorded, by their ids. */
  readonly starting: Map<string, Promise<Campaign>>;
  /** When all that the campaigns may have come to was last read, microseconds. */
  readAllUs: number;
}

/** Campaigns that are kept, for whoever asks. */
export const mostKept = 200;
