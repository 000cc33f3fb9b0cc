import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ruleGroups } from "#grafana/alerts/rule-groups.js";
import { selected } from "#grafana/queries/influxql.js";
import { dropColumns, joinTables, readSeries, readTable } from "./answers.js";
import { evaluateRule } from "./evaluate.js";
import { escapeRegex, expandTimes, expandVariables, parseSpan, pickInterval } from "./expand.js";

const range = { fromMs: 0, toMs: 3_600_000 };

describe("expandVariables", () => {
  const query = `SELECT 1 WHERE ${selected("host")}`;
  const expand = (values: readonly string[] | "all") => expandVariables(query, { host: values }, { host: ".*" });

  it("fills in all, one and several", () => {
    expect(expand("all")).toContain("/^(.*)$/");
    expect(expand(["a.b"])).toContain("/^((a\\.b))$/");
    expect(expand(["a", "b/c"])).toContain("/^((a|b\\/c))$/");
  });

  it("leaves unknown names, and Grafana's own, as they are", () => {
    expect(expandVariables("$other $__interval $timeFilter", { host: "all" }, { host: ".*" })).toBe(
      "$other $__interval $timeFilter",
    );
  });

  it("makes patterns that match what was selected and nothing else", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }),
        fc.string({ minLength: 1 }),
        (values, other) => {
          const pattern = new RegExp(/\/(\^.*\$)\/$/s.exec(expand(values))?.[1] ?? "(?!)", "s");
          for (const value of values) expect(pattern.test(value)).toBe(true);
          expect(pattern.test(other)).toBe(values.includes(other));
        },
      ),
    );
  });

  it("escapes the slash that ends a pattern", () => {
    expect(escapeRegex("a/b|c")).toBe("a\\/b\\|c");
  });
});

describe("times", () => {
  it("are filled in as Grafana's backend does", () => {
    expect(expandTimes("$timeFilter GROUP BY time($__interval)", range, 10_000)).toBe(
      "time >= 0ms and time <= 3600000ms GROUP BY time(10000ms)",
    );
  });

  it("give about as many points as asked for, in round buckets, and never narrower than the least", () => {
    expect(pickInterval(range, 1000, 10_000)).toBe(10_000);
    expect(pickInterval({ fromMs: 0, toMs: 7 * 86_400_000 }, 1000, 10_000)).toBe(15 * 60_000);
    expect(pickInterval(range, 1000, parseSpan("30m"))).toBe(30 * 60_000);
  });
});

describe("answers", () => {
  const answers = [
    { name: "kpi", tags: { host: "a" }, columns: ["time", "value"], values: [[1, 0.5]] },
    { name: "kpi", tags: { host: "b" }, columns: ["time", "value"], values: [[1, null]] },
  ];

  it("become series named by their alias", () => {
    expect(readSeries(answers, "$tag_host $col").map(({ name }) => name)).toEqual(["a value", "b value"]);
    expect(readSeries(answers)[0]).toMatchObject({ name: "kpi.value { host: a }", labels: { host: "a" }, values: [0.5] });
  });

  it("become tables that join by a column", () => {
    const table = dropColumns(readTable(answers), /^Time$/);
    expect(table).toEqual({
      columns: ["host", "value"],
      rows: [
        ["a", 0.5],
        ["b", null],
      ],
    });
    const other = {
      columns: ["host", "severity"],
      rows: [
        ["b", 2],
        ["c", 1],
      ],
    };
    expect(joinTables([table, other], "host")).toEqual({
      columns: ["host", "value", "severity"],
      rows: [
        ["a", 0.5, null],
        ["b", null, 2],
        ["c", null, 1],
      ],
    });
  });
});

describe("evaluateRule", () => {
  const rules = ruleGroups.flatMap((group) => group.rules);
  const judge = (uid: string, values: (number | null)[], others: number | null = 9) => {
    const rule = rules.find((each) => each.uid === uid)!;
    const timesMs = values.map((_, i) => i);
    const answers = {
      A: [{ name: "", labels: { host: "a" }, timesMs, values }],
      D: [{ name: "", labels: {}, timesMs: [0], values: [others] }],
    };
    const evaluation = evaluateRule(rule, answers);
    return evaluation.kind === "judged" ? evaluation.verdicts : evaluation.kind;
  };

  it("warns from the target on, and is critical past the alert threshold too, whichever way is better", () => {
    const levels = (kpi: string, value: number) =>
      ["warning", "critical"].filter((level) => JSON.stringify(judge(`fm-${kpi}-${level}`, [value])).includes('"bad":true'));
    expect([0.9, 1, 5, 5.1].map((value) => levels("environment-step-time", value))).toEqual([
      [],
      ["warning"],
      ["warning"],
      ["warning", "critical"],
    ]);
    expect([1001, 1000, 100, 99].map((value) => levels("training-throughput", value))).toEqual([
      [],
      ["warning"],
      ["warning"],
      ["warning", "critical"],
    ]);
  });

  it("takes the last number, and no nulls", () => {
    expect(judge("fm-agent-down", [1, 0, null])).toMatchObject([{ value: 0, bad: true }]);
    expect(judge("fm-samples-dropped", [40])).toMatchObject([{ value: 40, bad: true }]);
    expect(judge("fm-clock-offset", [-1500])).toMatchObject([{ bad: true }]);
    expect(judge("fm-clock-offset", [999])).toMatchObject([{ bad: false }]);
  });

  it("has no data where a query answered no number", () => {
    expect(judge("fm-disk-full-warning", [null])).toBe("no-data");
    expect(judge("fm-agent-down", [0], null)).toBe("no-data");
  });
});
