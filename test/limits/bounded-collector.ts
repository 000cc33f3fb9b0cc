import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import type { Address } from "@fleetmark/shared/config/config";
import { formatAddress } from "@fleetmark/shared/model/units";
import { encodeBatch } from "@fleetmark/shared/wire/batch-encoder";
import { expect, onTestFinished } from "vitest";
import { attachAgent, buildBatch } from "../../collector/test/support.js";
import { encodeHello, openAttach, wrapMessage } from "../load/raw-grpc.js";
import { makeMemoryGroup } from "../testbed/memory-group.js";
import { makeFolder, startDaemon } from "../testbed/program.js";

/** What a collector may have for itself and all that hosts and readers do to it. */
export const groupBytes = 400 * 2 ** 20;

/** A collector in a control group that kills it when it takes more memory. */
export interface BoundedCollector {
  readonly grpc: Address;
  readonly http: Address;
  isReady(): Promise<boolean>;
  /** Opens a connection that speaks HTTP/2 and what a test makes of it. */
  connect(): ClientHttp2Session;
  /** It is there, nothing was killed for its memory, and a path of its HTTP API answers. */
  expectAlive(path?: string): Promise<void>;
  /** It is alive, and an honest agent's batch is acknowledged. */
  expectService(): Promise<void>;
}

/** Shows the most memory that a process has had by itself: what the kernel keeps of its files the group counts too. */
function showPeak(pid: number | undefined): void {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  console.log(`at most ${Math.round(Number(kilobytes) / 1e3)} MB`);
}

export async function startBoundedCollector(flags: readonly string[] = []): Promise<BoundedCollector> {
  const group = makeMemoryGroup(groupBytes);
  const folder = makeFolder();
  const listen = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
  const collector = await startDaemon<{ grpc: Address; http: Address }>(
    ["collector", "--data-dir", folder.path, "--log-level", "error", ...listen, ...flags],
    { onPid: group.add },
  );
  const { grpc, http } = collector.facts;
  onTestFinished(async () => {
    const beganMs = performance.now();
    collector.process.kill("SIGTERM");
    await collector.ended;
    // Whatever it was done to, nobody keeps it from its end.
    expect(performance.now() - beganMs).toBeLessThan(20_000);
    folder.remove();
  });
  const ask = (path: string) => fetch(`http://${formatAddress(http)}${path}`);
  const expectAlive = async (path = "/readyz"): Promise<void> => {
    expect([group.readKills(), collector.process.exitCode, collector.process.signalCode]).toEqual([0, null, null]);
    expect((await ask(path)).status).toBe(200);
    showPeak(collector.process.pid);
  };
  return {
    grpc,
    http,
    isReady: async () => (await ask("/readyz")).ok,
    connect: () => {
      const session = connectHttp2(`http://${formatAddress(grpc)}`, { maxSessionMemory: 10_000 });
      session.on("error", () => {});
      onTestFinished(() => session.destroy());
      return session;
    },
    expectAlive,
    expectService: async () => {
      const agent = await attachAgent(grpc, { host: "honest" });
      const point = { measurement: "oracle", tags: {}, timeUs: Date.now() * 1000, fields: { number: 1 } };
      agent.sendBatch(encodeBatch(buildBatch(1, [point], "honest")));
      const { committed } = await agent.nextAck();
      expect(committed.map(({ sequence }) => Number(sequence))).toEqual([1]);
      await expectAlive();
    },
  };
}

/** A Hello of a guest: any number of them may be there at once. */
export function makeHello(host: string, inventoryJson = "{}"): Buffer {
  return wrapMessage(encodeHello(host, { guest: true, inventoryJson }));
}

/** Opens a stream on which an agent would attach, and reads it unless it is not to. */
export function openStream(session: ClientHttp2Session, isRead = true): ClientHttp2Stream {
  const stream = openAttach(session);
  if (isRead) stream.resume();
  return stream;
}

/** Writes until the stream is over, as fast as it takes. */
export async function writeOn(stream: ClientHttp2Stream, make: () => Buffer, until: () => boolean): Promise<void> {
  while (!until() && !stream.destroyed) {
    if (stream.write(make())) {
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    await new Promise<void>((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        for (const event of ["drain", "close"]) stream.off(event, go);
        resolve();
      };
      const timer = setTimeout(go, 200);
      for (const event of ["drain", "close"]) stream.once(event, go);
    });
    if (stream.writableLength > 64 * 2 ** 20) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
