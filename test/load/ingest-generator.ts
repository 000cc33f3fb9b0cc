import type { ClientHttp2Session } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Series } from "@fleetmark/shared/model/series";
import type { Address } from "@fleetmark/shared/model/units";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { decodeCollectorFrame } from "@fleetmark/shared/wire/frames";
import { connect } from "@nats-io/transport-node";
import { connectHttp2, createMessageReader, encodeFrame, encodeHello, openAttach, wrapMessage } from "./raw-grpc.js";

/**
 * A light fleet: batches go straight onto the wire, without the agent's spool, so that what it costs is not what
 * limits.
 */
export interface GeneratorOptions {
  readonly link: { readonly grpc: Address } | { readonly nats: string };
  readonly hosts: number;
  readonly fields: number;
  /** Moments in a batch. */
  readonly moments: number;
  /**
   * Send as fast as batches are acknowledged, so many in all; or a batch of each host every so many seconds, for so
   * long.
   */
  readonly pace: { readonly batches: number } | { readonly intervalS: number; readonly forS: number };
}

export interface GeneratorOutcome {
  readonly samples: number;
  readonly seconds: number;
  /** Of the newest sample of a batch to its acknowledgement. */
  readonly latencyMs: Latency;
  /** The same of the first batch of every host, where they come at their pace: it is not counted among the others. */
  readonly arrivalMs: Latency | undefined;
}

/** Milliseconds. */
interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Batches in flight over all hosts, where they go as fast as they can. */
const window = 512;

const options = JSON.parse(process.argv[2]) as GeneratorOptions;
const series: Series[] = Array.from({ length: options.fields }, (_, i) => ({ measurement: "load", tags: {}, field: `f${i}` }));
const indexes = Array.from({ length: options.fields * options.moments }, (_, i) => i % options.fields);
const sequences = new Uint32Array(options.hosts);
const epochUs = Date.now() * 1000;
const hostName = (host: number): string => `load-${host}`;

/** A batch whose newest moment is `timeUs`; the moments before it are a millisecond apart. */
function encode(host: number, timeUs: number): Uint8Array {
  const times = indexes.map((_, i) => timeUs - 1000 * (options.moments - 1 - Math.floor(i / options.fields)));
  const values = indexes.map((index, i) => Math.sin(i + timeUs / 1e6) * 100 + index);
  const id = { host: hostName(host), epochUs, sequence: ++sequences[host] };
  const batch: Batch = {
    id,
    series,
    numbers: { series: indexes, timeUs: times, values },
    texts: { series: [], timeUs: [], values: [] },
  };
  return encodeBatch(batch);
}

let acked = 0;
let onAck = (): void => {};
const sentAt = new Map<string, number>();
const latencies: number[] = [];

function takeAck(message: Uint8Array): void {
  const { frame } = decodeCollectorFrame(message);
  if (frame.case !== "ack") return;
  if (frame.value.rejected.length > 0) throw new Error(`rejected: ${frame.value.rejected[0].message}`);
  const now = performance.now();
  for (const { host, sequence } of frame.value.committed) {
    const key = `${host}/${sequence}`;
    const at = sentAt.get(key);
    if (at === undefined) continue;
    sentAt.delete(key);
    latencies.push(now - at);
    acked++;
  }
  onAck();
}

/** Opens the way of every host; returns what sends a batch. */
async function openGrpc(address: Address): Promise<(host: number, bytes: Uint8Array) => void> {
  const streams: ReturnType<typeof openAttach>[] = [];
  const sessions: ClientHttp2Session[] = [];
  for (let host = 0; host < options.hosts; host++) {
    const session = connectHttp2(address);
    sessions.push(session);
    const stream = openAttach(session);
    streams.push(stream);
    const welcome = new Promise<void>((resolve) => {
      stream.on(
        "data",
        createMessageReader((message) => {
          resolve();
          takeAck(message);
        }),
      );
    });
    stream.write(wrapMessage(encodeHello(hostName(host))));
    // A fleet does not arrive in one instant either.
    if (host % 50 === 49) await welcome;
  }
  return (host, bytes) => void streams[host].write(wrapMessage(encodeFrame({ case: "batch", value: bytes })));
}

async function openNats(url: string): Promise<(host: number, bytes: Uint8Array) => void> {
  const connection = await connect({ servers: url });
  connection.subscribe("fleetmark.v1.ack.*", { callback: (_, message) => takeAck(message.data) });
  await connection.flush();
  return (host, bytes) => connection.publish(`fleetmark.v1.batch.${hostName(host)}`, bytes);
}

const send = "grpc" in options.link ? await openGrpc(options.link.grpc) : await openNats(options.link.nats);

function dispatch(host: number, bytes: Uint8Array): void {
  sentAt.set(`${hostName(host)}/${sequences[host]}`, performance.now());
  send(host, bytes);
}

/** Encoded beforehand: what is measured is the way of a batch, not its making. */
async function sendAll(batches: number): Promise<void> {
  const now = Date.now() * 1000 - batches * 1000;
  const encoded = Array.from({ length: batches }, (_, i) => {
    const host = i % options.hosts;
    return { host, bytes: encode(host, now + i * 1000), sequence: sequences[host] };
  });
  process.send?.("ready");
  await new Promise((resolve) => process.once("message", resolve));
  let next = 0;
  const begin = performance.now();
  await new Promise<void>((resolve) => {
    onAck = () => {
      if (acked === batches) resolve();
      for (; next < batches && next - acked < window; next++) {
        const { host, bytes, sequence } = encoded[next];
        sentAt.set(`${hostName(host)}/${sequence}`, performance.now());
        send(host, bytes);
      }
    };
    onAck();
  });
  seconds = (performance.now() - begin) / 1000;
}

/**
 * Sends a batch of each host every so many seconds, spread over them, for so long; returns when all are acknowledged.
 */
async function sendRounds(intervalS: number, forS: number): Promise<void> {
  const [begin, before] = [performance.now(), acked];
  const turns = Math.round((options.hosts * forS) / intervalS);
  for (let turn = 0; turn < turns; ) {
    const due = Math.min(turns, Math.floor(((performance.now() - begin) / 1000 / intervalS) * options.hosts));
    for (; turn < due; turn++) dispatch(turn % options.hosts, encode(turn % options.hosts, Date.now() * 1000));
    await delay(5);
  }
  const missing = (): number => turns - (acked - before);
  const deadline = performance.now() + 60_000;
  while (missing() > 0 && performance.now() < deadline) await delay(20);
  if (missing() > 0) throw new Error(`${missing()} of ${turns} batches were never acknowledged`);
}

async function sendPaced(intervalS: number, forS: number): Promise<void> {
  // Of the first round every series is new to the store: what that costs comes once, and is told apart.
  await sendRounds(intervalS, intervalS);
  arrivalMs = summarize(latencies.splice(0));
  acked = 0;
  process.send?.("ready");
  await new Promise((resolve) => process.once("message", resolve));
  const begin = performance.now();
  await sendRounds(intervalS, forS);
  seconds = (performance.now() - begin) / 1000;
}

function summarize(times: number[]): Latency {
  times.sort((a, b) => a - b);
  const quantile = (q: number): number => Math.round(times[Math.min(times.length - 1, Math.floor(q * times.length))] * 10) / 10;
  return { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) };
}

let seconds = 0;
let arrivalMs: Latency | undefined;
if ("batches" in options.pace) await sendAll(options.pace.batches);
else await sendPaced(options.pace.intervalS, options.pace.forS);
const outcome: GeneratorOutcome = { samples: acked * indexes.length, seconds, latencyMs: summarize(latencies), arrivalMs };
process.send?.(outcome, undefined, undefined, () => process.exit(0));
