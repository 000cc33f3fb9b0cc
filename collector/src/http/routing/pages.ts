import type { FastifyReply } from "fastify";
import { z } from "zod";

/** Lists that may be long are answered in pages; the header `Link` leads to the next (RFC 8288). */

/** The parameters of a page. */
export const pageShape = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(1000)
    .describe("the most that are answered; `Link` leads to the rest"),
  offset: z.coerce.number().int().nonnegative().default(0).describe("how many are passed over"),
};

interface Page {
  readonly limit: number;
  readonly offset: number;
}

/** Takes a page out of a list whose order is always the same, and says where the next one is. */
export function takePage<T>(list: readonly T[], { limit, offset }: Page, reply: FastifyReply): T[] {
  const end = offset + limit;
  if (end < list.length) {
    const url = new URL(reply.request.url, "http://collector");
    url.searchParams.set("limit", String(limit));
    url.searchParams.set("offset", String(end));
    reply.header("link", `<${url.pathname}${url.search}>; rel="next"`);
  }
  return list.slice(offset, end);
}
