import { FleetmarkError } from "../errors.js";

/** What agents and collectors call things on a NATS server. docs/nats.md explains them. */

/**
 * The JetStream stream that holds batches until a collector has committed them, and the durable consumer that
 * collectors share.
 */
export const natsStream = "FLEETMARK";
export const natsConsumer = "collectors";

const prefix = "fleetmark.v1";

/**
 * Subjects end in the host that sends or is meant. `batch` is the stream's, its payload an encoded Batch. The others
 * are plain messages: `hello` asks with an AgentFrame and is answered with a CollectorFrame, `progress` and
 * `command_result` hold AgentFrames, `ack` and `command` hold CollectorFrames.
 */
export type NatsSubject = "batch" | "hello" | "progress" | "command_result" | "ack" | "command";

const plain = /^[A-Za-z0-9_-]$/;

/** Writes a host's name as one token of a subject: every UTF-8 byte but letters, digits, `_` and `-` as %XX. */
export function encodeHostToken(host: string): string {
  return Array.from(new TextEncoder().encode(host), (byte) => {
    const character = String.fromCharCode(byte);
    return plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

function decodeToken(token: string): string | undefined {
  try {
    return decodeURIComponent(token);
  } catch {
    return undefined;
  }
}

/**
 * Reads a host's name from its token. Only the one spelling that encodeHostToken writes is taken, for permissions are
 * granted by spelling: a host that could write itself in another way could pass by them.
 * @throws FleetmarkError BATCH_FOREIGN
 */
export function decodeHostToken(token: string): string {
  const host = decodeToken(token);
  if (host === undefined || host === "" || encodeHostToken(host) !== token) {
    throw new FleetmarkError("BATCH_FOREIGN", `the subject's last token ${JSON.stringify(token.slice(0, 255))} names no host`);
  }
  return host;
}

export function natsSubject(kind: NatsSubject, host: string): string {
  return `${prefix}.${kind}.${encodeHostToken(host)}`;
}

/** Returns the subject of every host. */
export function natsSubjects(kind: NatsSubject): string {
  return `${prefix}.${kind}.*`;
}

/**
 * Returns the host that a subject names: by the server's permissions, the one that sent.
 * @throws FleetmarkError BATCH_FOREIGN
 */
export function readSubjectHost(subject: string): string {
  return decodeHostToken(subject.slice(subject.lastIndexOf(".") + 1));
}

/** Where answers to a host come in: a subject of its own, so that a server can keep hosts from reading each other's. */
export function natsInboxPrefix(host: string): string {
  return `_INBOX.fleetmark.${encodeHostToken(host)}`;
}

/** Where answers to collectors come in. */
export const collectorInboxPrefix = "_INBOX.fleetmark_collectors";
