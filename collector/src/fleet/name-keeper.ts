import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import type { BatchOutline } from "@fleetmark/shared/wire/batch-decoder";
import { readSteadyUs } from "../platform/clock.js";
import type { Metrics } from "../telemetry/metrics.js";
import type { KeptHolders } from "./name-holder-file.js";
import { type Claim, holdName, isHeldBy, makeClaim, mayHold } from "./name-holders.js";

/** Gives hosts' names to agents, and refuses those that come second. */
export interface NameKeeper {
  /**
   * Gives a host's name to an agent of this identity, or says why it may not have it.
   * @param isPresent whether the agent that holds it is here
   */
  take(host: string, who: Who, isPresent: boolean): string | undefined;
  /** Whether the agent of this identity holds the name, or held it before. */
  isHolder(host: string, identity: string): boolean;
  /** Whether it held the name before, and another does now. */
  isFormer(host: string, identity: string): boolean;
}

/** As it stands in a Hello. */
interface Who {
  readonly identity: string;
  readonly machine: string;
}

/** Claims that are remembered: a batch tells the same as the one before. */
const mostClaims = 50_000;
/** Between two lines of the log about one host, microseconds. */
const sayEveryUs = 60e6;

export interface NameKeeperOptions {
  readonly kept: KeptHolders;
  readonly metrics: Pick<Metrics, "hostNameConflicts">;
  readonly logger: Logger;
}

export function createNameKeeper({ kept, metrics, logger }: NameKeeperOptions): NameKeeper {
  const claims = new Map<string, Claim>();
  const saidUs = new Map<string, number>();
  const readClaim = ({ identity, machine }: Who): Claim => {
    const key = `${identity} ${machine}`;
    const known = claims.get(key);
    if (known !== undefined) return known;
    if (claims.size >= mostClaims) claims.clear();
    const claim = makeClaim(identity, machine);
    claims.set(key, claim);
    return claim;
  };
  const refuse = (host: string, isPresent: boolean, nowUs: number): string => {
    const since = isPresent ? "is attached" : "was heard of within a quarter of an hour";
    const message = `another agent holds the name of host ${JSON.stringify(host)} and ${since}`;
    metrics.hostNameConflicts.inc();
    if (nowUs - (saidUs.get(host) ?? Number.NEGATIVE_INFINITY) >= sayEveryUs) {
      if (saidUs.size >= mostClaims) saidUs.clear();
      saidUs.set(host, nowUs);
      logger.warn({ event: "host_name_taken", agent: host }, message);
    }
    return message;
  };
  return {
    take: (host, who, isPresent) => {
      const claim = readClaim(who);
      const nowUs = readSteadyUs();
      const holder = kept.holders.get(host);
      if (
        holder !== undefined &&
        holder.identity === claim.identity &&
        (claim.machine === "" || claim.machine === holder.machine)
      ) {
        holder.heardUs = nowUs;
        return undefined;
      }
      if (!mayHold(holder, claim, isPresent, nowUs)) return refuse(host, isPresent, nowUs);
      if (holdName(kept.holders, host, claim, nowUs)) kept.noteChange();
      return undefined;
    },
    isFormer: (host, identity) => kept.holders.get(host)?.former.includes(readClaim({ identity, machine: "" }).identity) ?? false,
    isHolder: (host, identity) => isHeldBy(kept.holders, host, readClaim({ identity, machine: "" })),
  };
}

/**
 * Finds the host whose batch it is. It is the one that the link vouches for; or another, that the same agent was
 * measured under before it was given this name. What an agent measured under a name that was never its own, as the
 * second of two twins does until it is given another, is that of the name it has now.
 * @throws FleetmarkError BATCH_FOREIGN where it is another agent's
 */
export function findName(
  keeper: Pick<NameKeeper, "isHolder">,
  { id, identity }: Pick<BatchOutline, "id" | "identity">,
  source: { readonly host: string; readonly identity?: string },
): string {
  const { host } = source;
  if (id.host === host) return host;
  if (keeper.isHolder(id.host, identity || (source.identity ?? ""))) return id.host;
  const isOwn = source.identity === undefined ? keeper.isHolder(host, identity) : identity !== "" && identity === source.identity;
  if (!isOwn) throw new FleetmarkError("BATCH_FOREIGN", `a batch of host ${id.host} from ${host}`);
  return host;
}
