import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findCapture } from "../../../shared/test/examples.js";
import { smiLog } from "../../test/smi-log.js";
import { isLost, parseNvidiaLog } from "./nvidia-log.js";

const captures = findCapture("nvidia-smi");

const read = (name: string) => parseNvidiaLog(readFileSync(`${captures}/${name}.xml`, "utf8"));

describe.skipIf(captures === undefined)("what nvidia-smi really printed", () => {
  // Checked by hand against the documents; undefined: the card has no such thing, or says N/A.
  it.each([
    [
      "hw-a100",
      {
        temperature_gpu: 33,
        power_draw: 49.68,
        power_limit: 400,
        power_draw_average: undefined,
        clocks_max_sm: 1410,
        pcie_rx_kb_s: 300,
        memory_free: 40443,
        event_us_sw_power_cap: undefined,
        temperature_slowdown: 89,
        temperature_margin: undefined,
        ecc_aggregate_uncorrectable: 0,
        fan_speed: undefined,
        module_power_draw: undefined,
        recovery_action: "None",
        fabric_state: undefined,
        persistence_mode: 1,
        event_reason_gpu_idle: 1,
      },
    ],
    [
      "hw-b200",
      {
        temperature_gpu: 39,
        temperature_margin: 49,
        temperature_margin_slowdown: -3,
        temperature_slowdown: undefined,
        power_draw: 195.68,
        power_draw_instant: 195.79,
        power_limit: 1000,
        event_us_sw_power_cap: 770461242,
        display_mode: undefined,
        fabric_state: "Completed",
        fabric_health: "Healthy",
        clocks_max_sm: 1965,
        memory_power_draw: 22.33,
      },
    ],
    [
      "hw-gb200",
      { module_power_draw: 467.17, module_power_limit: 2500, pcie_link_gen_max: 5, pcie_link_gen_max_device: 6, mig_mode: 0 },
    ],
    ["hw-l40s", { pcie_link_width_current: 8, pcie_link_width_max: 16, temperature_memory: undefined, power_limit: 350 }],
    ["a100-sxm4-v12", { power_draw: 67.03, power_limit: 500, power_default_limit: 500, utilization_gpu: undefined, mig_mode: 1 }],
    ["gtx-1070-ti", { fan_speed: 100, temperature_gpu: 39, power_draw: undefined, memory_used: 42, pcie_link_gen_current: 1 }],
    [
      "quadro-p400",
      { fan_speed: 34, temperature_slowdown: 100, ecc_volatile_uncorrectable: undefined, event_reason_gpu_idle: 1 },
    ],
    ["rtx-3080-v13", { power_draw: 139.62, power_draw_instant: 142.33, memory_used: 9184, utilization_gpu: 65, fan_speed: 0 }],
    [
      "rtx-3090-v12",
      { power_draw: 27.23, power_limit: 200, power_default_limit: 350, power_max_limit: 375, clocks_current_sm: 0 },
    ],
    [
      "tesla-t4",
      { power_draw: 26.78, power_limit: 70, memory_used: 1032, ecc_volatile_uncorrectable: 0, retired_pages_pending: "No" },
    ],
    // The real tool over NVIDIA's mock of a library: no hardware.
    ["mock-gb200-ecc-injected", { ecc_volatile_uncorrectable: 5, ecc_aggregate_uncorrectable: 8, row_remap_failure: 1 }],
    ["mock-gb200-throttle-counters", { event_us_sw_power_cap: 39595, power_draw: 145, temperature_margin_slowdown: 0 }],
  ])("%s is read as it stands there", (name, expected) => {
    const [card] = read(name).cards;
    const seen = Object.fromEntries(Object.keys(expected).map((field) => [field, card.fields[field]]));
    expect(seen).toEqual(expected);
    expect({ strange: card.strange, unreadable: card.unreadable }).toEqual({ strange: {}, unreadable: {} });
  });

  it("names each card, its slices and its processes", () => {
    const b200 = read("hw-b200");
    expect([b200.driverVersion, b200.cudaVersion, b200.attached, b200.cards.length]).toEqual(["580.105.08", "13.0", 8, 8]);
    expect(b200.cards[3]).toMatchObject({ index: 3, name: "NVIDIA B200", architecture: "Blackwell", performanceState: "P0" });
    const { slices } = read("a100-sxm4-v12").cards[0];
    expect(slices.map(({ gpuInstance }) => gpuInstance)).toEqual(["3", "4", "5", "6"]);
    expect(slices.slice(0, 1)).toMatchObject([
      { index: "0", gpuInstance: "3", computeInstance: "0", fields: { memory_fb_used: 12, multiprocessor_count: 14 } },
    ]);
    expect(read("tesla-t4").cards[0].processes[0]).toEqual({ pid: 675, type: "G", name: "/usr/lib/xorg/Xorg", memory: 22 });
  });

  it("tells of a lost card beside a whole one", () => {
    const { cards } = read("mock-gb200-lost");
    expect(cards.map(isLost)).toEqual([false, true]);
    expect(cards[1].unreadable).toMatchObject({ memory_total: "GPU is lost", remapped_rows_correctable: "GPU is lost" });
    expect(cards[1].fields.memory_total).toBeUndefined();
    expect(cards[0].fields.memory_total).toBeGreaterThan(1e5);
  });

  it("is refused where it was cut off, anywhere", () => {
    expect(() => read("crash-truncated")).toThrow(/unclosed tag/);
    const whole = readFileSync(`${captures}/hw-a100.xml`, "utf8").trim();
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (end) => {
        expect(() => parseNvidiaLog(whole.slice(0, end))).toThrow();
      }),
      { numRuns: 60 },
    );
  });
});

describe("parseNvidiaLog", () => {
  it("reads values by what they are, whichever driver printed them", () => {
    const { cards, driverVersion } = parseNvidiaLog(
      smiLog({
        driver: "610.57.04 [Deprecated; use another]",
        fields: {
          "power_readings/power_draw": "[N/A]",
          "gpu_power_readings/instant_power_draw": "1.2 kW",
          "gpu_power_readings/average_power_draw": "[Unknown Error]",
          "fb_memory_usage/used": "2 GiB",
          "temperature/gpu_temp": "ERR!",
          "utilization/gpu_util": "7 apples",
          "clocks_throttle_reasons/clocks_throttle_reason_sw_power_cap": "Active",
          "clocks_event_reasons_counters/clocks_event_reasons_counters_hw_power_brake": "3 ms",
          "pci/replay_counter": "Insufficient Permissions",
        },
      }),
    );
    expect(driverVersion).toBe("610.57.04");
    expect(cards[0].fields).toMatchObject({
      power_draw: 1200,
      memory_used: 2048,
      event_reason_sw_power_cap: 1,
      event_us_hw_power_brake_slowdown: 3000,
    });
    expect(cards[0].fields).not.toHaveProperty("pcie_replay_counter");
    expect(cards[0].unreadable).toEqual({ temperature_gpu: "ERR!", power_draw_average: "Unknown Error" });
    expect(cards[0].strange).toEqual({ utilization_gpu: "7 apples" });
  });

  it.each([
    ["", /document/i],
    ["No devices were found", /.+/],
    ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", /.+/],
    ["<html></html>", /of html, not of nvidia_smi_log/],
    [`${smiLog()}and more`, /.+/],
    [`<a>${"<a>".repeat(100)}${"</a>".repeat(100)}</a>`, /32 deep/],
    ['<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">]><nvidia_smi_log>&x;</nvidia_smi_log>', /entity/i],
  ])("refuses %j", (text, message) => {
    expect(() => parseNvidiaLog(text)).toThrow(message);
  });

  it("takes a host without cards for one without cards", () => {
    expect(parseNvidiaLog(smiLog({ cards: 0 })).cards).toEqual([]);
  });

  it("gives numbers and texts and nothing else, whatever stands in a field", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
        const [card] = parseNvidiaLog(smiLog({ fields: { "temperature/gpu_temp": text, serial: text } })).cards;
        const { temperature_gpu: temperature = 0, serial = "" } = card.fields;
        expect(Number.isFinite(temperature)).toBe(true);
        expect(typeof serial).toBe("string");
        expect(String(serial).length).toBeLessThanOrEqual(200);
      }),
    );
  });
});
