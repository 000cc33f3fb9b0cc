import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { makeDirectory } from "../../test/support.js";
import { openNameHolders } from "./name-holder-file.js";
import { holdName, isHeldBy, keptForUs, makeClaim, mayHold, type NameHolders } from "./name-holders.js";

const [first, second] = [makeClaim("1".repeat(32), "m1"), makeClaim("2".repeat(32), "m2")];

function hold(claim = first): NameHolders {
  const holders: NameHolders = new Map();
  holdName(holders, "h1", claim, 0);
  return holders;
}

describe("a host's name", () => {
  const nobody = makeClaim("");
  const reinstalled = makeClaim("3".repeat(32), "m1");
  it.each([
    ["nobody's", undefined, first, true, 0, true],
    ["the same agent's", hold().get("h1"), first, true, 0, true],
    ["an agent's without an identity", hold().get("h1"), nobody, true, 0, true],
    ["another's, which is here", hold().get("h1"), second, true, keptForUs, false],
    ["another's, which was heard of of late", hold().get("h1"), second, false, keptForUs - 1, false],
    ["another's, which is silent", hold().get("h1"), second, false, keptForUs, true],
    ["one of the same machine, which is here", hold().get("h1"), reinstalled, true, 0, false],
    ["one of the same machine, which has gone", hold().get("h1"), reinstalled, false, 0, true],
  ])("is %s: may be held %#", (_what, holder, claim, isPresent, nowUs, expected) => {
    expect(mayHold(holder, claim, isPresent, nowUs)).toBe(expected);
  });

  it("is kept as a hash, by which a batch is known", () => {
    const holders = hold();
    expect(JSON.stringify([...holders])).not.toContain("1".repeat(32));
    expect([isHeldBy(holders, "h1", first), isHeldBy(holders, "h1", second), isHeldBy(holders, "h2", first)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(isHeldBy(holders, "h1", nobody)).toBe(false);
  });

  it("was held by whom it was taken over from: what that one measured is still taken", () => {
    const holders = hold();
    holdName(holders, "h1", second, keptForUs);
    expect([isHeldBy(holders, "h1", first), isHeldBy(holders, "h1", second)]).toEqual([true, true]);
    holdName(holders, "h1", first, 2 * keptForUs);
    expect(holders.get("h1")).toEqual({ ...first, heardUs: 2 * keptForUs, former: [second.identity] });
  });

  it("is kept over a restart, with the time since its holder was heard of", async () => {
    const directory = makeDirectory();
    const logger = pino({ level: "silent" });
    const kept = await openNameHolders(directory, logger);
    holdName(kept.holders, "h1", first, performance.now() * 1000);
    await kept.stop();
    const { holders } = await openNameHolders(directory, logger);
    const holder = holders.get("h1");
    expect(holder).toMatchObject(first);
    expect(mayHold(holder, second, false, performance.now() * 1000)).toBe(false);
  });
});
