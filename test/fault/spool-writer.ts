import { nameBatch } from "@fleetmark/shared/model/batch";
import { pino } from "pino";
import { createCounts } from "#agent/delivery/counts.js";
import { openSpool } from "#agent/spool/spool.js";
import { makeBatch } from "../../agent/test/spool.js";

/**
 * Fills a spool as fast as it goes and says on stdout which batches are durable and which it released, until it is
 * killed. `node test/run.mjs test/fault/spool-writer.ts DIR`
 */
const dir = process.argv[3];
const say = (word: string, name: string): boolean => process.stdout.write(`${word} ${name}\n`);
const spool = await openSpool({
  host: "h",
  dir,
  maxBytes: 2 ** 30,
  maxAge: 1e9,
  logger: pino({ level: "silent" }),
  losses: createCounts(),
  wallMs: Date.now(),
});
spool.listen({
  onReady: (entries) => {
    for (const entry of entries) {
      const name = nameBatch(entry.id);
      if (entry.id.sequence % 3 !== 0) say("durable", name);
      else {
        say("released", name);
        spool.release(entry, "committed");
      }
    }
  },
  onGone: () => {},
  onReadable: () => {},
  onMoved: () => {},
});
for (let sequence = 1; ; sequence++) {
  const position = { epochUs: spool.epochUs, sequence };
  spool.put(
    makeBatch(position, sequence % 7 === 0 ? "result" : "telemetry", 1 + ((sequence * 7919) % 9000)),
    { lastUs: Date.now() * 1000, generation: 0 },
    Date.now(),
  );
  if (sequence % 20 === 0) await spool.flush();
}
