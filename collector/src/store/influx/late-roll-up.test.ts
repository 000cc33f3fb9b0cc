import { expect, it, onTestFinished } from "vitest";
import { closeLateRollUp, createLateRollUp, rollUpEnded, rollUpLate } from "./late-roll-up.js";

it("says why hours are not rolled up, until they are", async () => {
  const target = { url: "http://127.0.0.1:1", database: "d", org: "", token: "", timeoutMs: 1000 };
  const late = createLateRollUp(target, () => 0);
  onTestFinished(() => closeLateRollUp(late));
  await expect(rollUpEnded(late, 1e15)).rejects.toMatchObject({ code: "STORE_FAILED" });
  await late.rolling;
  expect(late.failures.get("ended")).toContain("127.0.0.1:1");
  // Nothing came late, so nothing is asked; the hours that ended are still not there.
  await rollUpLate(late);
  expect([[...late.failures.keys()], late.underWay]).toEqual([["ended"], 0]);
});
