import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Command, Hello } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Logger } from "@fleetmark/shared/log";
import { protocolVersion } from "@fleetmark/shared/wire/frames";
import type { Metrics } from "../telemetry/metrics.js";
import type { AgentHello, Fleet } from "./fleet.js";
import { makeWelcome, type WelcomeFields } from "./welcome.js";

/**
 * Which hosts are present, whatever the link: of each host at most one attachment, the newest.
 *
 *               Hello             Hello over another stream or link
 *     absent ─────────► present ─────────────────────────────────────► present; the elder is displaced
 *       ▲                  │
 *       └──────────────────┘  its stream ended; or, over NATS, where no stream tells, it was not heard of for long
 *
 * A host over NATS is present at every collector that hears its Hello, a host over gRPC at the one that it has its
 * stream to.
 */

/** A command as it is sent. */
export type CommandFields = Omit<Command, "$typeName">;

/** By which way an agent is attached. */
export type Link = "grpc" | "nats";

/** An agent that is here, and how it is reached. */
export interface Attachment {
  readonly link: Link;
  readonly hello: AgentHello;
  /** Address of its end of the stream, for the log. */
  readonly peer?: string;
  /** Sends a command to the agent. One that can't be sent is lost. */
  sendCommand(command: CommandFields): void;
  /** Ends its stream, because a newer attachment of its host has taken its place. Over NATS there is none. */
  displace?(): void;
}

/** The hosts that are present, and what is done about their coming and going. */
export interface Presence {
  readonly attachments: Map<string, Attachment>;
  /**
   * Sends a command towards a host that has not said Hello here yet, where a link can: over NATS it listens all the
   * same. Undefined while there is no such link.
   */
  sendBlindly: ((host: string, command: CommandFields) => void) | undefined;
  /** Called after each Welcome: what waits for the host can be sent now. */
  readonly onGreeted: Set<(host: string) => void>;
  readonly fleet: Fleet;
  readonly metrics: Pick<Metrics, "agentsAttached" | "hostNameConflicts">;
  readonly logger: Logger;
  readonly maxBatchBytes: number;
  /** When streams of a host displaced each other, or were refused for it, of late; microseconds. */
  readonly displacements: Map<string, number[]>;
}

/** Agents say Hello over NATS again and again; one that missed a few is gone. */
export const absentAfterUs = 150e6;

export type PresenceOptions = Pick<Presence, "fleet" | "metrics" | "logger" | "maxBatchBytes">;

/** Displacements within a minute from which there must be two agents: a broken connection is noticed within 40 s. */
const flapping = { count: 6, withinUs: 60e6 } as const;

export function createPresence({ fleet, metrics, logger, maxBatchBytes }: PresenceOptions): Presence {
  return {
    attachments: new Map(),
    sendBlindly: undefined,
    onGreeted: new Set(),
    displacements: new Map(),
    fleet,
    metrics,
    logger,
    maxBatchBytes,
  };
}

/** Whether streams of one host displace each other faster than one agent's would. Each time counts. */
function isFlapping({ displacements }: Presence, host: string, nowUs: number): boolean {
  const recent = (displacements.get(host) ?? []).filter((at) => nowUs - at < flapping.withinUs && at <= nowUs);
  recent.push(nowUs);
  displacements.set(host, recent.slice(-flapping.count - 1));
  return recent.length > flapping.count;
}

/** Whether nothing is to be ended for it: over NATS a host has nothing that a second agent would not have. */
const areSide = (elder: Attachment, newer: Attachment): boolean => elder.link === "nats" && newer.link === "nats";

/**
 * Refuses an agent that attaches by turns with another of the same identity, such as clones of a machine that share
 * it: the elder stays.
 * @throws FleetmarkError HOST_NAME_TAKEN
 */
function checkTurns(presence: Presence, elder: Attachment, newer: Attachment, nowUs: number): void {
  const { host } = newer.hello;
  if (areSide(elder, newer) || !isFlapping(presence, host, nowUs)) return;
  presence.metrics.hostNameConflicts.inc();
  const message = `two agents attach as host ${host} by turns, from ${elder.peer ?? "elsewhere"} and ${newer.peer ?? "elsewhere"}`;
  throw new FleetmarkError("HOST_NAME_TAKEN", message);
}

/**
 * Ends the attachment that a host has already. Over gRPC it is almost always the same agent, whose former connection
 * broke without a word.
 */
function displaceElder({ logger }: Presence, elder: Attachment, newer: Attachment): void {
  if (areSide(elder, newer)) return;
  logger.warn({ event: "agent_displaced", agent: newer.hello.host }, "a newer stream of the same host displaced an agent");
  elder.displace?.();
}

/**
 * Records that a host is here by this way. The counters of a host that comes back go on; its run's progress is told
 * anew.
 * @throws FleetmarkError HOSTS_TOO_MANY, HOST_NAME_TAKEN
 */
export function attachHost(presence: Presence, attachment: Attachment, nowUs: number): void {
  const { attachments, fleet, metrics, logger } = presence;
  const { hello, link, peer } = attachment;
  const state = fleet.touch(hello.host, nowUs);
  const elder = attachments.get(hello.host);
  if (elder !== undefined) checkTurns(presence, elder, attachment, nowUs);
  attachments.set(hello.host, attachment);
  if (elder === undefined) metrics.agentsAttached.inc();
  else displaceElder(presence, elder, attachment);
  state.hello = hello;
  state.attached = true;
  state.attachedSinceUs = nowUs;
  state.progress = undefined;
  logger.info({ event: "agent_attached", agent: hello.host, version: hello.version, link, peer }, "an agent attached");
}

/** Sends a command to a host by the way that there is: one that can't be sent is lost, and sent again later. */
export function sendToHost({ attachments, sendBlindly }: Presence, host: string, command: CommandFields): void {
  const attachment = attachments.get(host);
  if (attachment !== undefined) attachment.sendCommand(command);
  else sendBlindly?.(host, command);
}

/** Answers a Hello that came at this time, from a host that is present; then what waits for the host is sent. */
export function welcomeHost(
  { maxBatchBytes, onGreeted }: Presence,
  host: string,
  receivedUs: number,
  answer: (welcome: WelcomeFields) => void,
): void {
  answer(makeWelcome(maxBatchBytes, receivedUs));
  for (const tell of onGreeted) tell(host);
}

/** Whether a Hello says of a host that is present by this link just what it said before. */
export function isKnownHello({ attachments }: Presence, link: Link, host: string, message: Hello): boolean {
  const known = attachments.get(host);
  if (known === undefined || known.link !== link || message.protocolVersion !== protocolVersion) return false;
  const { version, hwClass, inventoryJson } = known.hello;
  return version === message.agentVersion && hwClass === message.hardwareClass && inventoryJson === message.inventoryJson;
}

/** Takes an attachment away. Nothing will tell how the host's run goes on, so the progress goes too. */
function removeAttachment({ attachments, fleet, metrics }: Presence, host: string): void {
  if (!attachments.delete(host)) return;
  metrics.agentsAttached.dec();
  const state = fleet.get(host);
  if (state === undefined) return;
  state.attached = false;
  state.progress = undefined;
}

/** Records that an attachment has ended. It is nothing to a host that has a newer one. */
export function detachHost(presence: Presence, attachment: Attachment): void {
  const { host } = attachment.hello;
  if (presence.attachments.get(host) !== attachment) return;
  removeAttachment(presence, host);
  presence.logger.info({ event: "agent_detached", agent: host, link: attachment.link }, "an agent detached");
}

/** Lets go the hosts over NATS that were not heard of for long. */
export function detachSilentHosts(presence: Presence, nowUs: number): void {
  for (const [host, { link }] of presence.attachments) {
    if (link !== "nats" || nowUs - (presence.fleet.get(host)?.lastSeenUs ?? 0) <= absentAfterUs) continue;
    removeAttachment(presence, host);
    presence.logger.info({ event: "agent_detached", agent: host, link }, "an agent was not heard of any more");
  }
}

/** Lets go all hosts of a link that the collector leaves. They are not gone, so nothing is said of them. */
export function leaveLink(presence: Presence, left: Link): void {
  if (left === "nats") presence.sendBlindly = undefined;
  for (const [host, { link }] of presence.attachments) if (link === left) removeAttachment(presence, host);
}
