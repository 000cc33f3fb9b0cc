import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { smiLog } from "../../test/smi-log.js";
import { type CardWatch, watchCard } from "./card-watch.js";

const place = { index: 0, uuid: "GPU-0", name: "NVIDIA H100 80GB HBM3" };
const busy = "utilization/gpu_util";
const cap = "clocks_event_reasons/clocks_event_reason_sw_power_cap";
const capCounter = "clocks_event_reasons_counters/clocks_event_reasons_counters_sw_power_cap";
const hot = "clocks_event_reasons/clocks_event_reason_hw_thermal_slowdown";
const limit = "gpu_power_readings/current_power_limit";
const usual = "gpu_power_readings/default_power_limit";

/** Looks at a card whose values are, look after look, these; the last ones stay. */
function watchThrough(...looks: Readonly<Record<string, string>>[]) {
  let taken = 0;
  return watchCard(place, undefined, async () => {
    const fields = looks[Math.min(taken++, looks.length - 1)];
    return { state: "ok", stdout: smiLog({ fields }), seconds: 0.01 };
  });
}

/** Lets the timed section last so long, milliseconds. */
async function time(watch: CardWatch, ms: number) {
  watch.onTimed(true);
  await vi.advanceTimersByTimeAsync(ms);
  watch.onTimed(false);
  const stopped = watch.stop();
  await vi.advanceTimersByTimeAsync(1000);
  return stopped;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a card that is watched", () => {
  it("is told of with its clocks, its power and what held it back, at work", async () => {
    const working = { [busy]: "100 %", "clocks/sm_clock": "1755 MHz", [cap]: "Active", [limit]: "700 W", [usual]: "700 W" };
    const watch = await watchThrough(
      {},
      working,
      { ...working, "clocks/sm_clock": "1725 MHz" },
      { [limit]: "700 W", [usual]: "700 W" },
    );
    const { metadata, disturbance } = await time(watch, 700);
    expect(metadata).toMatchObject({
      card_index: 0,
      card_uuid: "GPU-0",
      card_looks: 4,
      card_sm_clock_mhz: 1740,
      card_sm_clock_low_mhz: 1725,
      card_sm_clock_max_mhz: 1980,
      card_sw_power_cap_percent: 100,
      card_utilization_percent: 100,
    });
    // At the limit that it was built for it is no disturbance.
    expect(disturbance).toBe("");
  });

  it("says that its power was capped below the usual, by its counter", async () => {
    const lowered = { [limit]: "500 W", [usual]: "700 W" };
    const watch = await watchThrough(
      lowered,
      { ...lowered, [capCounter]: "1000 us" },
      { ...lowered, [capCounter]: "1841000 us" },
    );
    const { disturbance, metadata } = await time(watch, 1999);
    expect(disturbance).toBe("power capped 92 % of the run, limit 500 of 700 W");
    expect(metadata.card_sw_power_cap_percent).toBeCloseTo(92, 5);
  });

  it.each([
    [{ [busy]: "90 %", [hot]: "Active" }, "slowed down by the hardware for its temperature 100 % of the run"],
    [{ "ecc_errors/volatile/dram_uncorrectable": "2" }, "2 uncorrectable memory errors"],
    [
      {
        [busy]: "90 %",
        "pci/pci_gpu_link_info/link_widths/current_link_width": "8x",
        "pci/pci_gpu_link_info/link_widths/max_link_width": "16x",
      },
      "PCIe 8 lanes wide of 16",
    ],
  ])("says what disturbed it: %j", async (fields, words) => {
    const watch = await watchThrough({ "ecc_errors/volatile/dram_uncorrectable": "0" }, fields);
    expect((await time(watch, 2500)).disturbance).toBe(words);
  });

  it("is not measured while others use it, and is waited for a moment", async () => {
    const used = {
      "processes/process_info/pid": "4711",
      "processes/process_info/type": "C",
      "processes/process_info/process_name": "/usr/bin/python3",
    };
    const watching = watchThrough(used);
    const refused = expect(watching).rejects.toMatchObject({
      code: "DEVICE_BUSY",
      message: "gpu0 is used by others: process 4711 (python3)",
    });
    await vi.advanceTimersByTimeAsync(6000);
    await refused;
    const soon = watchThrough(used, { [busy]: "55 %" }, {});
    await vi.advanceTimersByTimeAsync(2000);
    await (await soon).stop();
  });

  it("is waited for no longer when the run is aborted", async () => {
    const ending = new AbortController();
    const used = smiLog({ fields: { [busy]: "90 %" } });
    const watching = watchCard(place, ending.signal, async () => ({ state: "ok", stdout: used, seconds: 0 }));
    const refused = expect(watching).rejects.toThrow("interrupted");
    await vi.advanceTimersByTimeAsync(700);
    ending.abort(new Error("interrupted"));
    await vi.advanceTimersByTimeAsync(600);
    await refused;
  });

  it("that vanishes in the middle says so", async () => {
    let isThere = true;
    const watch = await watchCard(place, undefined, async () =>
      isThere ? { state: "ok", stdout: smiLog(), seconds: 0 } : { state: "failed", reason: "GPU is lost", seconds: 0 },
    );
    isThere = false;
    expect((await time(watch, 1500)).disturbance).toBe("the card gave no answer at the end");
  });

  it("is not looked at while its process prepares itself", async () => {
    let looks = 0;
    const watch = await watchCard(place, undefined, async () => {
      looks++;
      return { state: "ok", stdout: smiLog(), seconds: 0 };
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(looks).toBe(1);
    await time(watch, 1200);
    expect(looks).toBe(1 + 3 + 1);
  });

  it("that no tool tells of is measured all the same", async () => {
    const watch = await watchCard(place, undefined, async () => ({ state: "absent", reason: "not found", seconds: 0 }));
    expect(await watch.stop()).toMatchObject({ disturbance: "", metadata: { card_uuid: "GPU-0", card_looks: 0 } });
  });
});
