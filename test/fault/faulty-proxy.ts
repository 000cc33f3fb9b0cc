import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a database can do to a write. */
export const storeTroubles = ["401", "404", "413", "429", "500", "503", "partial-write", "half-answer", "no-answer"] as const;
export type StoreTrouble = (typeof storeTroubles)[number];

/** An HTTP proxy in front of a database, which lets everything through until it is told what to do with writes. */
export interface FaultyProxy {
  readonly url: string;
  trouble: StoreTrouble | undefined;
  /** Writes that it spoiled. */
  readonly spoiled: number;
  close(): void;
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

function forward(target: URL, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { ...incoming.headers, host: target.host, "content-length": String(body.length) };
    const outgoing = request(new URL(incoming.url ?? "/", target), { method: incoming.method, headers, timeout: 30_000 });
    outgoing.once("response", (answer) => {
      readBody(answer).then((all) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: all }), reject);
    });
    outgoing.once("timeout", () => outgoing.destroy(new Error("no answer")));
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

function give(response: ServerResponse, { status, headers, body }: Answer): void {
  const { "transfer-encoding": _, ...rest } = headers;
  response.writeHead(status, status === 204 ? rest : { ...rest, "content-length": String(body.length) }).end(body);
}

/** The first half of the lines of a write, as a server leaves behind that fails in the midst of it. */
function takeHalf(body: Buffer): Buffer {
  const lines = body.toString("utf8").split("\n");
  return Buffer.from(lines.slice(0, Math.ceil(lines.length / 2)).join("\n"));
}

/** A write of so few bytes is not too large for anyone. */
const largestBody = 16_384;

export async function startFaultyProxy(targetUrl: string): Promise<FaultyProxy> {
  const target = new URL(targetUrl);
  let trouble: StoreTrouble | undefined;
  let spoiled = 0;

  const spoil = async (kind: StoreTrouble, incoming: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    if (kind === "413" && body.length <= largestBody) {
      give(response, await forward(target, incoming, body));
      return;
    }
    spoiled++;
    switch (kind) {
      case "no-answer":
        return;
      case "half-answer": {
        // The write is done; only the word of it gets lost.
        await forward(target, incoming, body);
        response.socket?.end("HTTP/1.1 204 No Con");
        return;
      }
      case "partial-write": {
        await forward(target, incoming, takeHalf(body));
        response.writeHead(500, { "content-type": "application/json" }).end('{"error":"engine: write stopped half-way"}');
        return;
      }
      default: {
        const wait = kind === "429" || kind === "503" ? { "retry-after": "1" } : {};
        response.writeHead(Number(kind), { "content-type": "application/json", ...wait }).end(`{"error":"as ordered: ${kind}"}`);
      }
    }
  };

  const server = createServer(async (incoming, response) => {
    response.on("error", () => {});
    try {
      const body = await readBody(incoming);
      const isWrite = incoming.url?.startsWith("/write") || incoming.url?.startsWith("/api/v2/write");
      if (trouble !== undefined && isWrite) await spoil(trouble, incoming, response, body);
      else give(response, await forward(target, incoming, body));
    } catch {
      response.socket?.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get trouble() {
      return trouble;
    },
    set trouble(next) {
      trouble = next;
      // What waits for an answer that never comes would wait on after the trouble.
      if (next === undefined) server.closeAllConnections();
    },
    get spoiled() {
      return spoiled;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
