import { expect, it } from "vitest";
import { attachHost, createFleet } from "./fleet.js";

const hourUs = 3600e6;
const hello = { host: "a", version: "1", hwClass: "c", inventoryJson: "{}" };

it("remembers so many hosts and no more; one that was silent for an hour makes room, an attached one never", () => {
  const fleet = createFleet(2);
  attachHost(fleet.note("a", 0), hello, 0);
  fleet.note("b", 1).counters.batches_received++;
  expect(() => fleet.note("c", hourUs)).toThrow("2 hosts send to this collector");
  expect(fleet.note("b", 2).counters.batches_received).toBe(1);
  expect(fleet.note("c", hourUs + 3).host).toBe("c");
  expect(fleet.names()).toEqual(["a", "c"]);
});
