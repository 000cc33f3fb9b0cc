import { describe, expect, it } from "vitest";
import { as, equals, increase, last, max, renderSelect, renderTagValues, selected } from "./influxql.js";

describe("renderSelect", () => {
  it("keeps to the time filter, inside as well as outside", () => {
    const inner = { fields: [as(last("value"), "v")], from: "kpi", where: [equals("kpi", "a")], groupBy: ["host", "runtime"] };
    expect(renderSelect({ fields: [as(max("v"), "worst")], from: inner, groupBy: ["host"] })).toBe(
      'SELECT max("v") AS "worst" FROM (SELECT last("value") AS "v" FROM "kpi" WHERE $timeFilter AND "kpi" = \'a\' GROUP BY "host", "runtime") WHERE $timeFilter GROUP BY "host"',
    );
  });

  it("groups by time first, and says what fills empty buckets", () => {
    expect(renderSelect({ fields: [increase(max("n"))], from: "agent", groupBy: ["host"], every: "5m", fill: 0 })).toBe(
      'SELECT non_negative_difference(max("n")) FROM "agent" WHERE $timeFilter GROUP BY time(5m), "host" fill(0)',
    );
  });

  it("lets no name and no text end before its quote", () => {
    expect(renderSelect({ fields: [last('a"b')], from: "m", where: [equals("t", "it's \\ so")] })).toBe(
      'SELECT last("a\\"b") FROM "m" WHERE $timeFilter AND "t" = \'it\\\'s \\\\ so\'',
    );
  });
});

describe("variables", () => {
  it("are one group between the anchors", () => {
    expect(selected("host")).toBe('"host" =~ /^($host)$/');
    expect(selected("host", "collector")).toBe('"host" =~ /^($collector)$/');
  });

  it("list the values of a tag", () => {
    expect(renderTagValues("agent", "host")).toBe('SHOW TAG VALUES FROM "agent" WITH KEY = "host"');
  });
});
