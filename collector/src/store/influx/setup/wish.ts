import type { Retention } from "../../retention.js";
import type { InfluxTarget } from "../server/target.js";

/** What a server is set up for. */
export interface SetupWish {
  readonly target: InfluxTarget;
  readonly retention: Retention;
  readonly nowUs: number;
}
