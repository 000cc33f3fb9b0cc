import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AckSchema,
  type AgentFrame,
  type BatchIdSchema,
  type CollectorFrame,
  CollectorFrameSchema,
  WelcomeSchema,
} from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import type { Batch } from "@fleetmark/shared/model/batch";
import { decodeBatch } from "@fleetmark/shared/wire/batch-decoder";
import { decodeAgentFrame, encodeCollectorFrame, fleetService, protocolVersion } from "@fleetmark/shared/wire/frames";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";

export type TestCall = ServerDuplexStream<Buffer, Buffer>;

/** A real gRPC server for tests, that takes what an agent sends and answers as a collector does, or as it is told. */
export interface TestCollector {
  readonly port: number;
  /** What came, over all streams, in order. */
  readonly frames: AgentFrame["frame"][];
  readonly calls: TestCall[];
  /** Every batch that came, resends included. */
  readBatches(): Batch[];
  /** Breaks every connection at once. */
  kill(): Promise<void>;
}

export function sendFrame(call: TestCall, frame: CollectorFrame["frame"]): void {
  call.write(encodeCollectorFrame(create(CollectorFrameSchema, { frame })));
}

export function sendWelcome(call: TestCall, version = protocolVersion, maxBatchBytes = 0): void {
  const value = create(WelcomeSchema, { protocolVersion: version, collectorVersion: "1.2.3", maxBatchBytes });
  sendFrame(call, { case: "welcome", value });
}

/** The batch's id as it travels. */
export function encodeId(batch: Batch): MessageInitShape<typeof BatchIdSchema> {
  return { host: batch.id.host, epochUs: BigInt(batch.id.epochUs), sequence: BigInt(batch.id.sequence) };
}

/** Commits the batch, or answers what `change` makes of that. */
export function sendAck(call: TestCall, batch: Batch, change: MessageInitShape<typeof AckSchema> = {}): void {
  sendFrame(call, { case: "ack", value: create(AckSchema, { committed: [encodeId(batch)], ...change }) });
}

/** Welcomes and commits everything. */
export function behave(call: TestCall, frame: AgentFrame["frame"]): void {
  if (frame.case === "hello") sendWelcome(call);
  if (frame.case === "batch") sendAck(call, decodeBatch(frame.value));
}

/** Starts a collector on loopback; port 0 takes any. `onFrame` answers each frame. */
export async function startTestCollector(onFrame: typeof behave = behave, port = 0): Promise<TestCollector> {
  const server = new Server();
  const frames: AgentFrame["frame"][] = [];
  const calls: TestCall[] = [];
  server.addService(fleetService, {
    attach: (call: TestCall) => {
      calls.push(call);
      call.on("error", () => {});
      call.on("end", () => call.end());
      call.on("data", (bytes: Buffer) => {
        const { frame } = decodeAgentFrame(bytes);
        frames.push(frame);
        onFrame(call, frame);
      });
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, given) => {
      if (error === null) resolve(given);
      else reject(error);
    });
  });
  return {
    port: bound,
    frames,
    calls,
    readBatches: () => frames.flatMap((frame) => (frame.case === "batch" ? [decodeBatch(frame.value)] : [])),
    kill: async () => server.forceShutdown(),
  };
}
