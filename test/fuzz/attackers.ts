import type { ClientHttp2Session } from "node:http2";
import type { Address } from "@fleetmark/shared/model/units";
import { createRandom, type Random } from "@fleetmark/shared/stats/random";
import { decodeCollectorFrame } from "@fleetmark/shared/wire/frames";
import { connect } from "@nats-io/transport-node";
import { connectHttp2, createMessageReader, encodeFrame, encodeHello, openAttach, wrapMessage } from "../load/raw-grpc.js";
import { mutate } from "./mutation.js";
import { makeSeeds } from "./seeds.js";
import { holdsNoBatch, isSurelyInvalid } from "./validity.js";

export interface Tally {
  sent: number;
}

function chooseSeed<T>(seeds: readonly T[], random: Random): T {
  return seeds[Math.floor(random() * seeds.length)];
}

/** The id is a batch's first field; its length is less than 128. */
const idLength = (batch: Uint8Array): number => 2 + batch[1];

/**
 * A batch that is damaged, mostly behind its id: one that can't be named ends its agent's stream, and what follows on
 * that is not looked at.
 */
export function mutateBatch(batch: Uint8Array, host: string, random: Random): Uint8Array {
  const isWanted = (candidate: Uint8Array): boolean => isSurelyInvalid(candidate, host);
  if (random() < 0.05) return mutate(batch, random, isWanted);
  const end = idLength(batch);
  const join = (rest: Uint8Array): Uint8Array => Buffer.concat([batch.subarray(0, end), rest]);
  return join(mutate(batch.subarray(end), random, (rest) => isWanted(join(rest))));
}

/** A mutant of a batch within a good frame, or of the frame around it. */
export function makeFrame(seeds: readonly Uint8Array[], host: string, random: Random): Uint8Array {
  const batch = chooseSeed(seeds, random);
  if (random() < 0.98) {
    return encodeFrame({ case: "batch", value: mutateBatch(batch, host, random) });
  }
  return mutate(encodeFrame({ case: "batch", value: batch }), random, (candidate) => holdsNoBatch(candidate, host));
}

/** What goes onto the stream: almost always a gRPC message, now and then one whose length or flag is wrong. */
function wrap(frame: Uint8Array, random: Random): Buffer {
  const wrapped = wrapMessage(frame);
  if (random() < 0.0005) wrapped[Math.floor(random() * 5)] ^= 1 << Math.floor(random() * 8);
  return wrapped;
}

const windowFrames = 32;

/**
 * Sends frames over a stream of its own. Returns how many of them the collector has looked at, until it ended the
 * stream if it did.
 */
async function sendWindow(session: ClientHttp2Session, host: string, frames: readonly Buffer[]): Promise<number> {
  const stream = openAttach(session);
  let rejected = 0;
  let finish = (): void => {};
  const answered = new Promise<"all" | "ended">((resolve) => {
    finish = () => resolve("all");
    for (const event of ["end", "close"]) stream.once(event, () => resolve("ended"));
    // One whose last message is said to be longer than it is would wait for the rest of it.
    setTimeout(() => stream.close(), 2000).unref();
  });
  const read = createMessageReader((message) => {
    const { frame } = decodeCollectorFrame(message);
    if (frame.case === "ack") rejected += frame.value.rejected.length;
    else if (frame.case === "clockReply") finish();
  });
  stream.on("data", read);
  stream.write(wrapMessage(encodeHello(host)));
  for (const frame of frames) stream.write(frame);
  // It is answered in its turn, so everything before it has been looked at then.
  stream.write(wrapMessage(encodeFrame({ case: "clockRequest", value: { sentUs: 1n } })));
  const outcome = await answered;
  stream.close();
  return outcome === "all" ? frames.length : Math.min(frames.length, rejected + 1);
}

/** Attaches as `host` and sends damaged frames, again and again, whenever it is thrown out. */
export async function attackGrpc(address: Address, host: string, count: number, seed: number, tally: Tally): Promise<void> {
  const random = createRandom(seed);
  const seeds = makeSeeds(host);
  let session = connectHttp2(address);
  let frames: Buffer[] = [];
  for (let left = count; left > 0; ) {
    // A server may end the connection of a client that resets many streams.
    if (session.closed || session.destroyed) session = connectHttp2(address);
    while (frames.length < Math.min(left, windowFrames)) frames.push(wrap(makeFrame(seeds, host, random), random));
    const looked = await sendWindow(session, host, frames);
    frames = frames.slice(looked);
    left -= looked;
    tally.sent += looked;
  }
  session.close();
}

/** Publishes damaged batches on the subject of a host. */
export async function attackNats(url: string, host: string, count: number, seed: number, tally: Tally): Promise<void> {
  const random = createRandom(seed);
  const seeds = makeSeeds(host);
  const connection = await connect({ servers: url });
  for (let i = 0; i < count; i++) {
    connection.publish(`fleetmark.v1.batch.${host}`, mutateBatch(chooseSeed(seeds, random), host, random));
    tally.sent++;
    if (i % 256 === 255) await connection.flush();
  }
  await connection.drain();
}
