import type { Series } from "@fleetmark/shared/model/series";
import { expect, it } from "vitest";
import { createSeriesGuard } from "./series-guard.js";

const hourUs = 3600e6;
const series = (name: string): Series => ({ measurement: "m", tags: { host: "h1", name }, field: "value" });
const many = (from: number, to: number): Series[] => Array.from({ length: to - from }, (_, i) => series(String(from + i)));
const nothing = async () => [];
const settle = () => new Promise((resolve) => setImmediate(resolve));

function count(refused: readonly boolean[] | undefined): number {
  return refused?.filter(Boolean).length ?? 0;
}

it("lets known series go on while a host brings in more new ones than it may, an hour at a time", async () => {
  const guard = createSeriesGuard(10, nothing);
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
  const guard = createSeriesGuard(10, () => {
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

it("lets in ten times the limit and no more while the store does not answer, and keeps no more than that known", async () => {
  const guard = createSeriesGuard(10, async () => undefined);
  const h1 = { host: "h1" };
  expect(count(guard.judge(h1, many(0, 150), 0))).toBe(50);
  await settle();
  expect(count(guard.judge(h1, many(0, 100), 1))).toBe(0);
  expect(count(guard.judge(h1, many(150, 160), 2))).toBe(10);
});
