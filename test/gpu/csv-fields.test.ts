import { describe, expect, it } from "vitest";
import { compareFields } from "./csv-fields.js";

const compare = (field: string, probe: number | string | undefined, before: string, after = before) =>
  compareFields(probe === undefined ? {} : { [field]: probe }, [field], before, after)[0].agrees;

describe("a field of the probe beside the tool's table", () => {
  it.each([
    ["temperature_gpu", 38, "38", "39", true],
    ["temperature_gpu", 83, "38", "39", false],
    ["power_limit", 700, "700.00", "700.00", true],
    ["power_limit", 699, "700.00", "700.00", false],
    ["event_reason_sw_power_cap", 1, "Active", "Active", true],
    ["persistence_mode", 0, "Enabled", "Enabled", false],
    ["recovery_action", "None", "None", "None", true],
    ["recovery_action", "Reset", "None", "None", false],
    ["fan_speed", undefined, "[N/A]", "[N/A]", true],
    ["fan_speed", undefined, "30", "30", false],
    ["fan_speed", 30, "[N/A]", "[N/A]", false],
    ["memory_total", 143771, "143771", "143771", true],
    ["memory_total", 143770, "143771", "143771", false],
  ])("%s = %s beside %s and %s agrees: %s", (field, probe, before, after, agrees) => {
    expect(compare(field, probe, before, after)).toBe(agrees);
  });
});
