import { expect, it } from "vitest";
import { readDelivery } from "./delivery-info.js";
import { compareConfig } from "./stream.js";
import { isStuck, stuckAfterMs } from "./watchdog.js";

it("finds what differs, and what of it is grave", () => {
  const found = { subjects: ["a"], num_replicas: 1, max_bytes: 5, retention: "limits", more: true };
  const wanted = { subjects: ["a"], num_replicas: 3, max_bytes: 5, retention: "workqueue" };
  expect(compareConfig(found, wanted)).toEqual([
    { key: "num_replicas", actual: 1, wanted: 3, grave: false },
    { key: "retention", actual: "limits", wanted: "workqueue", grave: true },
  ]);
});

it("reads what a delivery tells, of old and new servers", () => {
  expect(readDelivery("$JS.ACK.FLEETMARK.collectors.2.17.19.1700000000000000000.3")).toEqual({
    key: "17.1700000000000000000",
    deliveries: 2,
  });
  expect(readDelivery("$JS.ACK._.hash.FLEETMARK.collectors.1.17.19.1700000000000000000.3.random")).toEqual({
    key: "17.1700000000000000000",
    deliveries: 1,
  });
  expect(() => readDelivery("_INBOX.x")).toThrow("no delivery");
  expect(() => readDelivery("$JS.ACK.a.b.c.d.e.f.g")).toThrow("no delivery");
});

it("takes a consumer for stuck that has batches, is asked for them, and gives none for long", () => {
  expect(isStuck(1, true, stuckAfterMs + 1)).toBe(true);
  expect(isStuck(0, true, stuckAfterMs + 1)).toBe(false);
  expect(isStuck(1, false, stuckAfterMs + 1)).toBe(false);
  expect(isStuck(1, true, stuckAfterMs)).toBe(false);
});
