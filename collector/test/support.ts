import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Ack,
  AgentFrameSchema,
  type ClockReply,
  type Command,
  type CommandResult,
  type Hello,
  HelloSchema,
  type Welcome,
} from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { type Batch, BatchBuilder } from "@fleetmark/shared/model/batch";
import { formatBenchmarkName, type Result, type Run } from "@fleetmark/shared/model/result";
import type { Point } from "@fleetmark/shared/model/series";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import type { KindedRecord } from "@fleetmark/shared/records/record-kind";
import { sentKinds } from "@fleetmark/shared/records/registry";
import { decodeCollectorFrame, encodeAgentFrame, fleetService, protocolVersion } from "@fleetmark/shared/wire/frames";
import { Client, type ClientDuplexStream, credentials, type StatusObject } from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import { makeResult as makeWholeResult, makeRun as makeWholeRun } from "../../shared/test/records.js";
import { readBatchPoints } from "../src/ingest/batch-points.js";
import { deriveRecords } from "../src/ingest/derive.js";

/** What the tests of this package share: real directories, real streams, and records that are whole. */

export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "fleetmark-collector-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function buildBatch(sequence: number, points: readonly Point[], host = "h1", epochUs = 1000): Batch {
  const builder = new BatchBuilder();
  for (const point of points) builder.add({ ...point, tags: { ...point.tags, host } });
  return builder.build({ host, epochUs, sequence });
}

/** Adds to a batch what follows from its records, as the ingest does. */
export function addDerived(batch: Batch): Batch {
  const kinds = new Map(sentKinds.map((kind) => [kind.measurement, kind]));
  const records = readBatchPoints(batch, new Set(kinds.keys())).flatMap(({ point }): KindedRecord[] => {
    const kind = kinds.get(point.measurement);
    return kind === undefined ? [] : [{ kind, record: kind.fromPoint(point) }];
  });
  return deriveRecords(batch, records).batch;
}

export function makeResult(changes: Partial<Result> = {}): Result {
  const { benchmark = "policy_forward", params = "batch=1", runtime = "jax-js", device = "cpu" } = changes;
  return makeWholeResult({
    name: formatBenchmarkName(benchmark, params, runtime, device),
    metadata: { note: "a 'quoted' \"text\"", depth: 2, warm: true, none: null },
    run: "run-1",
    time_us: Date.now() * 1000,
    ...changes,
  });
}

export function makeRun(changes: Partial<Run> = {}): Run {
  const timeUs = Date.now() * 1000;
  return makeWholeRun({ run: "run-1", started_us: timeUs - 5e6, time_us: timeUs, ...changes });
}

/** An agent as the wire knows it. */
export interface TestAgent {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  /** Resolves with the status that ended the stream. */
  readonly ended: Promise<StatusObject>;
  /** Returns whether the stream takes more at once. */
  sendBatch(bytes: Uint8Array): boolean;
  sendFrame(frame: MessageInitShape<typeof AgentFrameSchema>["frame"]): boolean;
  /** Tells what became of a command; by default that it was done. */
  sendResult(id: string, result?: Partial<Omit<CommandResult, "$typeName">>): void;
  nextAck(): Promise<Ack>;
  nextCommand(): Promise<Command>;
  nextWelcome(): Promise<Welcome>;
  nextClockReply(): Promise<ClockReply>;
}

/** Opens a stream to a collector, without a word. */
export function connectAgent(address: Address): TestAgent {
  const client = new Client(formatAddress(address), credentials.createInsecure(), { "grpc.max_send_message_length": -1 });
  const { path, requestSerialize, responseDeserialize } = fleetService.attach;
  const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, requestSerialize, responseDeserialize);
  const frames: Buffer[] = [];
  let over = false;
  let wake = (): void => {};
  call.on("error", () => {});
  call.on("data", (bytes: Buffer) => {
    frames.push(bytes);
    wake();
  });
  const ended = new Promise<StatusObject>((resolve) => {
    call.once("status", (status: StatusObject) => {
      over = true;
      wake();
      resolve(status);
    });
  });
  onTestFinished(() => {
    call.cancel();
    client.close();
  });
  const nextFrame = async (wanted: "ack" | "welcome" | "clockReply" | "command"): Promise<unknown> => {
    while (frames.length === 0 && !over) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const bytes = frames.shift();
    if (bytes === undefined) throw new Error(`the stream ended before a ${wanted}: ${(await ended).details}`);
    const { frame } = decodeCollectorFrame(bytes);
    if (frame.case !== wanted) throw new Error(`a ${frame.case} instead of a ${wanted}`);
    return frame.value;
  };
  const sendFrame: TestAgent["sendFrame"] = (frame) => call.write(encodeAgentFrame(create(AgentFrameSchema, { frame })));
  return {
    call,
    ended,
    sendFrame,
    sendBatch: (bytes) => sendFrame({ case: "batch", value: bytes }),
    sendResult: (id, result = {}) => void sendFrame({ case: "commandResult", value: { id, done: true, ...result } }),
    nextCommand: async () => (await nextFrame("command")) as Command,
    nextAck: async () => (await nextFrame("ack")) as Ack,
    nextClockReply: async () => (await nextFrame("clockReply")) as ClockReply,
    nextWelcome: async () => (await nextFrame("welcome")) as Welcome,
  };
}

export function makeHello(changes: Partial<Omit<Hello, "$typeName">> = {}): Hello {
  const usual = { protocolVersion, agentVersion: "0.1.0", host: "h1", hardwareClass: "c1", inventoryJson: '{"cpu":"x"}' };
  return create(HelloSchema, { ...usual, ...changes });
}

/** Attaches an agent and waits until it is welcome. */
export async function attachAgent(address: Address, changes: Parameters<typeof makeHello>[0] = {}): Promise<TestAgent> {
  const agent = connectAgent(address);
  agent.sendFrame({ case: "hello", value: makeHello(changes) });
  await agent.nextWelcome();
  return agent;
}
