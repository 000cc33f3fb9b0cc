import type { Series } from "@fleetmark/shared/model/series";
import { expect, it } from "vitest";
import { createSeriesGuard } from "./series-guard.js";

const hourUs = 3600e6;
const series = (name: string): Series => ({ measurement: "m", tags: { host: "h1", name }, field: "value" });
const many = (from: number, to: number): Series[] => Array.from({ length: to - from }, (_, i) => series(String(from + i)));
const bounds = { newPerHour: 10, perHost: 100 };
const nothing = async () => [];
const settle = () => new Promise((resolve) => setImmediate(resolve));

function count(refused: readonly boolean[] | undefined): number {
  return refused?.filter(Boolean).length ?? 0;
}

it("lets known series go on while a host brings in more new ones than it may, an hour at a time", async () => {
  const guard = createSeriesGuard(bounds, nothing);
  const h1 = { host: "h1" };
  const usual = many(0, 8);
  expect(guard.judge(h1, usual, 0)).toBeUndefined();
  guard.judge(h1, many(100, 105), 1);
  await settle();
  expect(count(guard.judge(h1, many(200, 205), 2))).toBe(5);
  expect(guard.judge(h1, usual, 3)).toBeUndefined();
  expect(guard.judge({ host: "h2" }, many(0, 10), 3)).toBeUndefined();
  // The next hour brings new ones, and the known ones of the hour before do not count.
  expect(guard.judge(h1, usual, hourUs)).toBeUndefined();
  expect(count(guard.judge(h1, many(300, 312), hourUs))).toBe(2);
  expect(guard.judge(h1, usual, hourUs + 1)).toBeUndefined();
});

it("asks the store what it has of a host, once, when that comes to the limit, and lets it in until the answer is there", async () => {
  let asked = 0;
  let answer: (stored: Series[] | undefined) => void = () => {};
  const guard = createSeriesGuard(bounds, () => {
    asked++;
    return new Promise((resolve) => {
      answer = resolve;
    });
  });
  const h1 = { host: "h1" };
  expect(guard.judge(h1, many(0, 30), 0)).toBeUndefined();
  expect(guard.judge(h1, many(30, 50), 1)).toBeUndefined();
  expect(asked).toBe(1);
  // It had all of them but five, and others that were not seen yet.
  answer(many(5, 80));
  await settle();
  expect(guard.judge(h1, many(50, 80), 2)).toBeUndefined();
  expect(count(guard.judge(h1, many(100, 110), 3))).toBe(5);
  expect(asked).toBe(1);
});

it("lets in what one host may have and no more while the store does not answer, of all hosts together", async () => {
  const guard = createSeriesGuard(bounds, async () => undefined);
  const [h1, h2] = [{ host: "h1" }, { host: "h2" }];
  expect(count(guard.judge(h1, many(0, 90), 0))).toBe(0);
  await settle();
  expect(count(guard.judge(h1, many(0, 90), 1))).toBe(0);
  // Ten by its own right, and twenty of the hundred on trust, of which eighty are taken.
  expect(count(guard.judge(h2, many(0, 50), 2))).toBe(20);
  expect(count(guard.judge(h1, many(90, 120), 3))).toBe(30);
});

it("gives it back with the hour where the store never answers, also what hosts took that are gone", async () => {
  const guard = createSeriesGuard(bounds, async () => undefined);
  guard.judge({ host: "gone" }, many(0, 100), 0);
  await settle();
  expect(count(guard.judge({ host: "h2" }, many(0, 50), 1))).toBe(30);
  expect(count(guard.judge({ host: "h3" }, many(0, 50), hourUs))).toBe(0);
});

it("gives what it let in on trust back to others once the store has answered", async () => {
  const guard = createSeriesGuard(bounds, nothing);
  guard.judge({ host: "h1" }, many(0, 100), 0);
  await settle();
  expect(count(guard.judge({ host: "h2" }, many(0, 110), 1))).toBe(10);
});

it("lets a host have so many in all, however slowly they come, and those that it has go on", async () => {
  const stored: Series[] = [];
  const guard = createSeriesGuard(bounds, async () => [...stored]);
  const h1 = { host: "h1" };
  const refused: number[] = [];
  for (let hour = 0; hour < 14; hour++) {
    const batch = many(hour * 9, hour * 9 + 9);
    const verdicts = guard.judge(h1, batch, hour * hourUs);
    stored.push(...batch.filter((_, i) => !verdicts?.[i]));
    refused.push(count(verdicts));
    await settle();
  }
  expect(stored).toHaveLength(100);
  expect(refused.slice(0, 11)).toEqual(Array(11).fill(0));
  expect(count(guard.judge(h1, many(0, 9), 14 * hourUs))).toBe(0);
});

it("counts no series twice that a host brings again after hours", async () => {
  const stored = many(0, 50);
  const guard = createSeriesGuard(bounds, async () => stored);
  const h1 = { host: "h1" };
  for (let hour = 0; hour < 30; hour += 3) {
    expect(count(guard.judge(h1, many(0, 9), hour * hourUs))).toBe(0);
    await settle();
    expect(count(guard.judge(h1, many(20, 29), (hour + 2) * hourUs))).toBe(0);
    await settle();
  }
});
