import { expect, it } from "vitest";
import { createChanges } from "./changes.js";

function setUp() {
  const kept: { by: string; outcome: string; detail: string }[] = [];
  const clock = { ms: 0 };
  const changes = createChanges(
    ({ by, outcome, detail }) => kept.push({ by, outcome, detail }),
    () => clock.ms,
  );
  return { changes, kept, clock };
}

it("a caller may change something at its pace, and holds up no other", () => {
  const { changes, clock } = setUp();
  for (let i = 0; i < 50; i++) changes.admit("alice");
  expect(() => changes.admit("alice")).toThrow(/alice asks for changes/);
  changes.admit("bob");
  clock.ms += 1000;
  for (let i = 0; i < 5; i++) changes.admit("alice");
  expect(() => changes.admit("alice")).toThrow();
});

it("what was changed is kept with its caller; strangers who knock without end fill no store", () => {
  const { changes, kept } = setUp();
  const caller = { name: "alice", role: "operate" } as const;
  changes.audit({ action: "a", caller, status: 200, detail: "x".repeat(5000) });
  changes.audit({ action: "a", caller, status: 404, detail: "" });
  for (let i = 0; i < 1000; i++) changes.audit({ action: "a", caller: undefined, status: 403, detail: "" });
  expect(kept.slice(0, 3).map(({ by, outcome, detail }) => [by, outcome, detail.length])).toEqual([
    ["alice", "done", 2000],
    ["alice", "failed", 0],
    ["nobody", "forbidden", 0],
  ]);
  expect(kept).toHaveLength(52);
});
