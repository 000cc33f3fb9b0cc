import type { PeerCertificate } from "node:tls";

/** One name of a subjectAltName as Node writes it; what holds a comma or a quote it writes as a JSON string. */
const nameEntry = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/gy;

function readAlternativeNames(text: string): string[] {
  const names: string[] = [];
  for (const [, kind, value] of text.matchAll(nameEntry)) {
    if (kind !== "DNS" && kind !== "URI") continue;
    names.push(value.startsWith('"') ? JSON.parse(value) : value);
  }
  return names;
}

/**
 * Returns the hosts that the holder of a certificate may speak for: its DNS and URI names, or its common name where it
 * has none of them (RFC 6125, § 6.4.4). They are compared as they are; a wildcard is no name of a host.
 */
export function readPeerNames({ subject, subjectaltname }: Pick<PeerCertificate, "subject" | "subjectaltname">): string[] {
  const names = readAlternativeNames(subjectaltname ?? "");
  if (names.length > 0) return names;
  // Node gives a list where there are several; its types know of one alone.
  return [subject?.CN ?? []].flat();
}

/** Whether a peer, as gRPC names its address, is a process of this machine. */
export function isLocalPeer(peer: string): boolean {
  return /^(?:ipv[46]:)?(?:127\.\d+\.\d+\.\d+|\[?::1\]?):\d+$/.test(peer) || peer.startsWith("unix:");
}
