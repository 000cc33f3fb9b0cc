import fc from "fast-check";
import { expect, test } from "vitest";
import { type ClockState, createClock, largestSlewUs, readHostClocks, type StepAnswer } from "./clock.js";

const start = 1_700_000_000_000_000;
const second = 1e6;
const hour = 3600 * second;

/** A host whose clocks are moved by hand. */
function createHost(wallUs = start) {
  const host = {
    wallUs,
    steadyUs: 0,
    pass(us: number) {
      host.wallUs += us;
      host.steadyUs += us;
    },
    read: () => ({ wallUs: host.wallUs, steadyUs: host.steadyUs }),
  };
  return host;
}

function setUp(before?: ClockState, host = createHost()) {
  const answers: [number, StepAnswer][] = [];
  const clock = createClock({ read: host.read, before, onStep: (step, answer) => answers.push([step, answer]) });
  return { host, clock, answers };
}

test("follows the host's clock, also forward over a step, and counts steps but not drift", () => {
  const { host, clock, answers } = setUp();
  expect(clock.stamp()).toBe(start);
  host.pass(10 * second);
  host.wallUs += 4000;
  expect(clock.stamp()).toBe(start + 10 * second + 4000);
  host.pass(10 * second);
  host.wallUs += hour;
  expect(clock.stamp()).toBe(start + 20 * second + 4000 + hour);
  expect(answers).toEqual([[hour, "followed"]]);
  expect(clock.steps).toBe(1);
});

test("set back by an hour it goes on at half speed until the host has caught up", () => {
  const { host, clock, answers } = setUp();
  clock.stamp();
  host.wallUs -= hour;
  let before = clock.stamp();
  expect(answers).toEqual([[-hour, "slewed"]]);
  for (let i = 0; i < 719; i++) {
    host.pass(10 * second);
    const now = clock.stamp();
    expect(now - before).toBeGreaterThanOrEqual(5 * second);
    expect(now - before).toBeLessThanOrEqual(5 * second + 1000);
    before = now;
  }
  host.pass(60 * second);
  expect(clock.stamp()).toBe(host.wallUs);
  expect(clock.steps).toBe(1);
});

test("a clock that had been far ahead is believed when it is set right, and no time is stamped again", () => {
  const { host, clock, answers } = setUp();
  const first = clock.stamp();
  host.wallUs += 365 * 24 * hour;
  clock.stamp();
  host.wallUs = start;
  const again = clock.stamp();
  expect(Math.abs(again - start)).toBeLessThan(1000);
  expect(again).not.toBe(first);
  expect(answers.map(([, answer]) => answer)).toEqual(["followed", "reset"]);
});

test("after a restart it goes on above what the process before had stamped", () => {
  const first = setUp();
  const last = first.clock.stamp();
  const { clock, answers, host } = setUp(first.clock.state, createHost(start - hour));
  const next = clock.stamp();
  expect(next).toBeGreaterThan(last);
  expect(next).toBeLessThanOrEqual(last + 1000);
  host.pass(2 * hour + second);
  expect(clock.stamp()).toBe(host.wallUs);
  expect(answers).toEqual([[-hour, "slewed"]]);
  expect(setUp(first.clock.state, createHost(start + hour)).clock.stamp()).toBe(start + hour);
});

test("asked more often than every millisecond it still gives each time once", () => {
  const { clock } = setUp();
  const times = Array.from({ length: 50 }, () => clock.stamp());
  expect(times).toEqual(times.map((_, i) => start + i * 1000));
});

const eventArbitrary = fc.oneof(
  { weight: 6, arbitrary: fc.record({ pass: fc.integer({ min: 0, max: 30 * second }) }) },
  { weight: 2, arbitrary: fc.record({ step: fc.integer({ min: -hour, max: hour }) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.integer({ min: -1000 * hour, max: 1000 * hour }) }) },
  { weight: 1, arbitrary: fc.constant({ restart: true } as const) },
);

test("whatever the host's clock does, over restarts too, no time is stamped twice and only a reset goes back", () => {
  fc.assert(
    fc.property(fc.array(eventArbitrary, { maxLength: 120 }), (events) => {
      const host = createHost();
      let { clock } = setUp(undefined, host);
      const stamped = new Set<number>();
      let last = 0;
      for (const event of events) {
        if ("pass" in event) host.pass(event.pass);
        else if ("step" in event) host.wallUs += event.step;
        else clock = setUp(clock.state, host).clock;
        const behind = last - host.wallUs;
        const now = clock.stamp();
        expect(stamped.has(now)).toBe(false);
        if (behind <= largestSlewUs) expect(now).toBeGreaterThan(last);
        expect(Number.isSafeInteger(now)).toBe(true);
        stamped.add(now);
        last = now;
      }
    }),
    { numRuns: 500 },
  );
});

test("after steps of up to an hour it has caught up within twice their length", () => {
  fc.assert(
    fc.property(fc.integer({ min: -hour, max: hour }), fc.integer({ min: 1, max: 60 * second }), (step, interval) => {
      const { host, clock } = setUp();
      clock.stamp();
      host.wallUs += step;
      for (let passed = 0; passed <= 2 * Math.abs(step) + 2 * interval; ) {
        const pass = Math.max(interval, Math.abs(step) / 50);
        host.pass(pass);
        passed += pass;
        clock.stamp();
      }
      host.pass(interval + 2000);
      expect(host.wallUs - clock.stamp()).toBeLessThan(1000);
    }),
  );
});

test("this host's clocks are read together", () => {
  const { wallUs, steadyUs } = readHostClocks();
  expect(Math.abs(wallUs / 1000 - Date.now())).toBeLessThan(60_000);
  expect(steadyUs).toBeGreaterThan(0);
});
