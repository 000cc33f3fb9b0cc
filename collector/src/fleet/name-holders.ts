import { createHash } from "node:crypto";

/**
 * Which agent holds a host's name. Names are given by people, and given twice by accident: the second agent of a name
 * is told so and keeps what it measures, instead of the two displacing each other and mixing their data for ever.
 *
 *              first Hello                 Hello of the same identity
 *   free ────────────────────► held ◄──────────────────────────────────┐
 *                               │ └────────────────────────────────────┘
 *                               │ Hello of another: refused while the holder is here, or was heard of within a
 *                               │ quarter of an hour; of the same machine (installed anew) only while it is here
 *                               ▼
 *                              held by the other
 *
 * Kept are hashes: whoever reads them can't claim the name.
 */

/** What an agent says of who it is. */
export interface Claim {
  /** Hash of its identity; empty of agents that have none, which are held to nothing. */
  readonly identity: string;
  /** Hash of its machine; empty where it has none. */
  readonly machine: string;
}

export interface Holder extends Claim {
  /** When a Hello or a batch of it last came, microseconds by the steady clock; below zero: before this process. */
  heardUs: number;
  /** Hashes of identities that held the name before, the latest first: what they measured then is still the host's. */
  readonly former: readonly string[];
}

/** By host. */
export type NameHolders = Map<string, Holder>;

/** Identities that a host is remembered to have had. */
const mostFormer = 8;
/** So long a name is kept for a holder that is silent. */
export const keptForUs = 900e6;

const noClaim: Claim = { identity: "", machine: "" };

function hash(kind: string, text: string): string {
  return text === "" ? "" : createHash("sha256").update(`${kind} ${text}`).digest("hex").slice(0, 32);
}

/** Makes a claim of what a Hello or a batch says. */
export function makeClaim(identity: string, machine = ""): Claim {
  return identity === "" ? noClaim : { identity: hash("identity", identity), machine: hash("machine", machine) };
}

/** Whether an agent may have a name now. */
export function mayHold(holder: Holder | undefined, claim: Claim, isPresent: boolean, nowUs: number): boolean {
  if (holder === undefined || claim.identity === "" || holder.identity === claim.identity) return true;
  if (isPresent) return false;
  return (holder.machine !== "" && holder.machine === claim.machine) || nowUs - holder.heardUs >= keptForUs;
}

/**
 * Gives a name to an agent that may have it.
 * @returns whether the holder is another now
 */
export function holdName(holders: NameHolders, host: string, claim: Claim, nowUs: number): boolean {
  if (claim.identity === "") return false;
  const before = holders.get(host);
  const former = before === undefined ? [] : [before.identity, ...before.former].filter((each) => each !== claim.identity);
  holders.set(host, { ...claim, heardUs: nowUs, former: [...new Set(former)].slice(0, mostFormer) });
  return before?.identity !== claim.identity || before.machine !== claim.machine;
}

/** Whether a batch of this host's name was measured by the agent that holds it, or by one that held it before. */
export function isHeldBy(holders: NameHolders, host: string, { identity }: Claim): boolean {
  const holder = holders.get(host);
  return identity !== "" && holder !== undefined && (holder.identity === identity || holder.former.includes(identity));
}
