import fc from "fast-check";
import { expect, it } from "vitest";
import { type ClockExchange, createClockOffsetFilter } from "./clock-offset.js";

/** An exchange over a network of these delays, by an agent whose clock is off by so much at steady time `atUs`. */
function exchange(atUs: number, offsetUs: number, thereUs: number, backUs: number, heldUs = 100): ClockExchange {
  const trueUs = 1.7e15 + atUs;
  return {
    askedUs: trueUs + offsetUs,
    receivedUs: trueUs + thereUs,
    answeredUs: trueUs + thereUs + heldUs,
    elapsedUs: thereUs + heldUs + backUs,
  };
}

it("knows nothing at first, and nothing again when the last exchange is long past", () => {
  const filter = createClockOffsetFilter();
  expect(filter.read(0)).toBeUndefined();
  filter.add(exchange(0, 5000, 300, 300), 700);
  expect(filter.read(700)).toEqual({ offsetMs: 5, rttMs: 0.6 });
  expect(filter.read(601e6)).toBeUndefined();
});

it("is off by no more than half of the shortest round trip, however the delays are split", () => {
  const delay = fc.integer({ min: 0, max: 500_000 });
  const offset = fc.integer({ min: -3600e6, max: 3600e6 });
  fc.assert(
    fc.property(offset, fc.array(fc.tuple(delay, delay), { minLength: 1, maxLength: 16 }), (offsetUs, delays) => {
      const filter = createClockOffsetFilter();
      for (const [i, [there, back]] of delays.entries()) {
        filter.add(exchange(i * 10e6, offsetUs, there, back), i * 10e6 + there + back + 100);
      }
      const { offsetMs, rttMs } = filter.read(delays.length * 10e6) ?? { offsetMs: Number.NaN, rttMs: Number.NaN };
      expect(rttMs).toBeCloseTo(Math.min(...delays.map(([there, back]) => there + back)) / 1000, 6);
      expect(Math.abs(offsetMs * 1000 - offsetUs)).toBeLessThanOrEqual((rttMs * 1000) / 2 + 0.5);
    }),
  );
});

it("follows a step at once, in spite of a shorter round trip before it", () => {
  const filter = createClockOffsetFilter();
  filter.add(exchange(0, 0, 100, 100), 300);
  filter.add(exchange(10e6, 2e6, 20_000, 1000), 10e6 + 21_100);
  expect(filter.read(11e6)?.offsetMs).toBeCloseTo(1990.5, 3);
  filter.add(exchange(20e6, 2e6, 200, 200), 20e6 + 500);
  expect(filter.read(21e6)).toEqual({ offsetMs: 2000, rttMs: 0.4 });
});

it("takes no exchange that can't be", () => {
  const filter = createClockOffsetFilter();
  filter.add({ askedUs: 0, receivedUs: 100, answeredUs: 50, elapsedUs: 10 }, 1);
  filter.add({ askedUs: 0, receivedUs: 100, answeredUs: 500, elapsedUs: 10 }, 1);
  filter.add({ askedUs: 0, receivedUs: Number.NaN, answeredUs: 500, elapsedUs: 10 }, 1);
  expect(filter.read(2)).toBeUndefined();
});
