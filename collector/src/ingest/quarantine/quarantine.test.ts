import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ErrorCode } from "@fleetmark/shared/errors";
import { describe, expect, it } from "vitest";
import { makeDirectory } from "../../../test/support.js";
import { openQuarantine, type QuarantineItem } from "./quarantine.js";

const makeItem = (bytes: Buffer, code: ErrorCode): QuarantineItem => ({ kind: "batch", bytes, code, host: "../../h 1" });

describe("the quarantine", () => {
  it("keeps batches as they came, under names that stay in its directory", async () => {
    const directory = makeDirectory();
    const quarantine = await openQuarantine(directory, 1000);
    await quarantine.keep(makeItem(Buffer.from("bytes"), "BATCH_MALFORMED"), 5);
    const names = readdirSync(join(directory, "quarantine"));
    expect(names).toEqual(["5-000001-BATCH_MALFORMED-______h_1.batch"]);
    expect(readFileSync(join(directory, "quarantine", names[0]), "utf8")).toBe("bytes");
  });

  it("never passes its bound, not even over a restart, and drops the oldest first", async () => {
    const directory = makeDirectory();
    const first = await openQuarantine(directory, 100);
    await Promise.all([1, 2, 3].map((time) => first.keep(makeItem(Buffer.alloc(40), "BATCH_MALFORMED"), time)));
    expect(first.size()).toBe(80);
    writeFileSync(join(directory, "quarantine", "9-000001-BATCH_MALFORMED-h.batch.growing"), "torn");
    const second = await openQuarantine(directory, 100);
    await second.keep(makeItem(Buffer.alloc(41), "SERIES_INVALID"), 4);
    await second.keep(makeItem(Buffer.alloc(101), "SERIES_INVALID"), 5);
    expect(second.size()).toBe(81);
    expect(readdirSync(join(directory, "quarantine")).map((name) => name[0])).toEqual(["3", "4"]);
  });

  it("removes and counts nothing that is not its own, and follows no link", async () => {
    const directory = makeDirectory();
    const [folder, outside] = [join(directory, "quarantine"), join(directory, "outside")];
    mkdirSync(folder);
    writeFileSync(outside, "another's");
    const theirs = ["notes.txt", "9.batch.growing", "x.batch", "1-000001-NO_CODE-h.batch"];
    for (const name of theirs) writeFileSync(join(folder, name), "theirs");
    const link = "1-000002-BATCH_MALFORMED-h.batch";
    symlinkSync(outside, join(folder, link));
    symlinkSync(outside, join(folder, `${link}.growing`));
    const quarantine = await openQuarantine(directory, 10);
    expect(quarantine.size()).toBe(0);
    await quarantine.keep(makeItem(Buffer.alloc(10), "BATCH_MALFORMED"), 5);
    await quarantine.keep(makeItem(Buffer.alloc(10), "BATCH_MALFORMED"), 6);
    const ours = "6-000002-BATCH_MALFORMED-______h_1.batch";
    expect(readdirSync(folder).sort()).toEqual([...theirs, link, `${link}.growing`, ours].sort());
    expect(readFileSync(outside, "utf8")).toBe("another's");
    expect(statSync(join(folder, ours)).mode & 0o777).toBe(0o600);
  });

  it("is made anew where its folder was removed, and looks anew where it was replaced", async () => {
    const directory = makeDirectory();
    const folder = join(directory, "quarantine");
    const quarantine = await openQuarantine(directory, 100);
    await quarantine.keep(makeItem(Buffer.alloc(40), "BATCH_MALFORMED"), 1);
    rmSync(directory, { recursive: true });
    await quarantine.keep(makeItem(Buffer.alloc(30), "BATCH_MALFORMED"), 2);
    expect([quarantine.size(), readdirSync(folder).length]).toEqual([30, 1]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    renameSync(folder, join(directory, "former"));
    mkdirSync(folder);
    writeFileSync(join(folder, "1-000001-BATCH_MALFORMED-h.batch"), Buffer.alloc(60));
    await quarantine.keep(makeItem(Buffer.alloc(50), "BATCH_MALFORMED"), 3);
    expect(quarantine.size()).toBe(50);
  });

  it("lets no more wait for the disk than fits into memory, and goes on afterwards", async () => {
    const directory = makeDirectory();
    const quarantine = await openQuarantine(directory, 2 ** 27);
    const keep = (time: number): Promise<void> => quarantine.keep(makeItem(Buffer.alloc(2 ** 20), "BATCH_MALFORMED"), time);
    expect(quarantine.waitForRoom()).toBeUndefined();
    const keeping = Promise.allSettled(Array.from({ length: 100 }, (_, time) => keep(time)));
    const room = quarantine.waitForRoom();
    expect(room).toBeInstanceOf(Promise);
    const fates = await keeping;
    // 64 MiB, each with a little more than its bytes.
    expect(fates.filter(({ status }) => status === "fulfilled")).toHaveLength(64);
    expect(fates.at(-1)).toMatchObject({ reason: { code: "DATA_UNWRITABLE" } });
    await room;
    expect(quarantine.waitForRoom()).toBeUndefined();
    await keep(2000);
    expect(readdirSync(join(directory, "quarantine"))).toHaveLength(65);
  });
});
