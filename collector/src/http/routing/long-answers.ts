import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { streamList } from "./list-stream.js";
import { followUnread, type ReadBudget } from "./read-budget.js";

/** Answers from so many bytes on are compressed for those who take that, and counted until they are taken. */
const longFrom = 4096;
/** Lists of so many items and more are written slice by slice. */
const streamedFrom = 256;
const compress = promisify(gzip);

/** Whether an answer is to be compressed; says so in its headers. */
function announceGzip(request: FastifyRequest, reply: FastifyReply): boolean {
  const isWanted = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  if (isWanted) void reply.header("content-encoding", "gzip").header("vary", "accept-encoding").removeHeader("content-length");
  return isWanted;
}

/** Counts answers until they are taken, and compresses long ones. */
export function addAnswerHooks(app: FastifyInstance, budget: ReadBudget): void {
  app.addHook("onSend", async (request, reply, payload) => {
    if (typeof payload !== "string" || payload.length < longFrom) return payload;
    const sent = announceGzip(request, reply) ? await compress(payload) : Buffer.from(payload);
    followUnread(budget, reply.raw)(sent.length);
    return sent;
  });
}

/**
 * Sends an answer. Resolves once nothing of it is needed any more, for a long list goes out slice by slice.
 * @param itemSchema the JSON Schema of an item of a list, the same object each time: its serializer is made once
 */
export async function sendAnswer(
  budget: ReadBudget,
  answer: unknown,
  itemSchema: Record<string, unknown> | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (itemSchema === undefined || !Array.isArray(answer) || answer.length < streamedFrom) {
    void reply.send(answer);
    return;
  }
  const { stream, written } = streamList({
    list: answer,
    stringify: reply.compileSerializationSchema(itemSchema),
    compressed: announceGzip(request, reply),
    onBytes: followUnread(budget, reply.raw),
  });
  void reply.type("application/json; charset=utf-8").send(stream);
  await written;
}
