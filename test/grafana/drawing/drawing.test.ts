import { describe, expect, it } from "vitest";
import { dashboards } from "#grafana/dashboards/registry.js";
import { listTicks } from "./chart.js";
import { formatValue } from "./format.js";
import { renderPage } from "./page.js";

describe("formatValue", () => {
  const write = (value: number | string | null, unit: string, decimals?: number) => formatValue(value, unit, decimals, 3_600_000);

  it("scales as Grafana's units do", () => {
    expect(write(0.0000024, "s", 2)).toBe("2.40 µs");
    expect(write(0.0024, "s", 2)).toBe("2.40 ms");
    expect(write(0, "s", 1)).toBe("0 s");
    expect(write(0.39, "decmbytes", 1)).toBe("390.0 kB");
    expect(write(0.5, "pps", 1)).toBe("500.0 mp/s");
    expect(write(12_345, "short")).toBe("12.3 K");
    expect(write(12_345, "ops", 0)).toBe("12K ops/s");
    expect(write(7200, "s", 1)).toBe("2.0 hours");
    expect(write(3.91, "decmbytes", 1)).toBe("3.9 MB");
    expect(write(2 ** 26, "bytes", 0)).toBe("64 MiB");
    expect(write(6990.4, "suffix:steps/s", 0)).toBe("6990 steps/s");
    expect(write(12.34, "percent", 1)).toBe("12.3%");
    expect(write(1200, "none")).toBe("1200");
    expect(write(1_800_000, "dateTimeFromNow")).toBe("30 minutes ago");
  });

  it("knows no unit that is not taken from Grafana: milliseconds, which it does not scale down, least of all", () => {
    expect(() => write(0.0024, "ms", 2)).toThrow("ms is not known");
  });

  it("leaves texts as they are, and nothing empty", () => {
    expect(write("flat", "string")).toBe("flat");
    expect(write(null, "s")).toBe("");
  });
});

describe("listTicks", () => {
  it("takes round steps, and powers of ten on a logarithmic axis", () => {
    expect(listTicks(0, 100, false)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(listTicks(1e-3, 1, true).map((tick) => Math.round(Math.log10(tick)))).toEqual([-3, -2, -1, 0]);
  });
});

describe("renderPage", () => {
  it("draws every panel of every dashboard, of data and of none, and lets no name be read as markup", () => {
    const range = { fromMs: 0, toMs: 3_600_000 };
    const name = "<b>a&b</b>";
    const series = [{ name, labels: { host: name }, timesMs: [0, 60_000, 120_000], values: [1, null, 2] }];
    const tables = [{ columns: ["Time", "host", "value"], rows: [[0, name, 1]] }];
    const marks = [{ fromMs: 0, toMs: 60_000, color: "#fff" }];
    for (const dashboard of dashboards) {
      const filled = renderPage(dashboard, "", () => ({
        series,
        tables,
        range,
        marks,
        alerts: [{ severity: "critical", title: name, text: "" }],
      }));
      expect(filled).not.toContain(name);
      expect(filled).not.toContain("NaN");
      expect(filled.match(/<section /g)?.length).toBe(dashboard.panels?.filter(({ type }) => type !== "row").length);
      const empty = renderPage(dashboard, "", () => ({ series: [], tables: [], range, marks: [], alerts: [] }));
      expect(empty).not.toContain("NaN");
    }
  });
});
