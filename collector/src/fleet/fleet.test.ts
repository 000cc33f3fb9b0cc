import { expect, it } from "vitest";
import { createFleet } from "./fleet.js";

const hourUs = 3600e6;

it("remembers so many hosts and no more; one that was silent for an hour makes room, an attached one never", () => {
  const fleet = createFleet(2);
  fleet.touch("a", 0).attached = true;
  fleet.touch("b", 1).counters.batches_received++;
  expect(() => fleet.touch("c", hourUs)).toThrow("2 hosts send to this collector");
  expect(fleet.touch("b", 2).counters.batches_received).toBe(1);
  expect(fleet.touch("c", hourUs + 3).host).toBe("c");
  expect(fleet.names()).toEqual(["a", "c"]);
});
