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
  /** Whether nobody ever held the name, as far as this collector knows. */
  isFree(host: string): boolean;
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
    isFree: (host) => !kept.holders.has(host),
    isHolder: (host, identity) => isHeldBy(kept.holders, host, readClaim({ identity, machine: "" })),
  };
}

/** Who sends a batch. */
interface Sender {
  /** The host that the link vouches for. */
  readonly host: string;
  readonly identity?: string;
  /** Whether the link lets it speak for that host too. */
  readonly speaksFor?: (host: string) => boolean;
}

/**
 * Finds the host whose batch it is. It is the one that the link vouches for; or another, that the same agent was
 * measured under before it was given this name. A name that nobody ever held was its own too: it had it while no
 * collector could be reached. What an agent measured under a name that another holds, as the second of two twins does
 * until it is given another, is that of the name it has now.
 * @throws FleetmarkError BATCH_FOREIGN where it is another agent's
 */
export function findName(
  keeper: Pick<NameKeeper, "isHolder" | "isFree">,
  { id, identity }: Pick<BatchOutline, "id" | "identity">,
  { host, identity: shown, speaksFor = () => false }: Sender,
): string {
  if (id.host === host) return host;
  if (keeper.isHolder(id.host, identity || (shown ?? ""))) return id.host;
  const isOwn = shown === undefined ? keeper.isHolder(host, identity) : identity !== "" && identity === shown;
  if (!isOwn) throw new FleetmarkError("BATCH_FOREIGN", `a batch of host ${id.host} from ${host}`);
  return keeper.isFree(id.host) && speaksFor(id.host) ? id.host : host;
}
