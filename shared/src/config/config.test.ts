import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { formatAddress, formatDuration, parseAddress, parseByteSize, parseDuration } from "../model/units.js";
import {
  addressSchema,
  byteSizeSchema,
  checkEnvironment,
  durationSchema,
  findNearest,
  listConfigKeys,
  loadConfig,
} from "./config.js";

const schema = z.strictObject({
  host: z.string().default("here").describe("name of the host"),
  grpc: z.strictObject({ listen: addressSchema.prefault("127.0.0.1:7420").describe("where to listen") }).prefault({}),
  telemetry: z
    .strictObject({
      interval: durationSchema.prefault("10s").describe("time between samples"),
      probes: z.array(z.string()).default(["cpu"]).describe("which probes"),
      retries: z.int().default(3).describe("how often"),
    })
    .prefault({}),
  buffer: z.strictObject({ size: byteSizeSchema.prefault("1MiB").describe("how much") }).prefault({}),
});

const folder = mkdtempSync(join(tmpdir(), "fleetmark-config-"));
let written = 0;
afterAll(() => rmSync(folder, { recursive: true }));

function write(text: string): string {
  const file = join(folder, `agent-${++written}.yaml`);
  writeFileSync(file, text);
  return file;
}

describe("loadConfig", () => {
  it("needs no file", () => {
    expect(loadConfig(schema, { environment: {}, flags: {} })).toEqual({
      host: "here",
      grpc: { listen: { host: "127.0.0.1", port: 7420 } },
      telemetry: { interval: 10, probes: ["cpu"], retries: 3 },
      buffer: { size: 1_048_576 },
    });
  });

  it("lets the environment weigh more than the file, and a flag more than both", () => {
    const file = write("host: from-file\ntelemetry:\n  interval: 1m\n  retries: 7\n");
    const environment = { FLEETMARK_HOST: "007", FLEETMARK_TELEMETRY_INTERVAL: "2m", FLEETMARK_TELEMETRY_PROBES: "cpu, mem" };
    const config = loadConfig(schema, { file, environment, flags: { "telemetry.interval": "3m" } });
    expect(config.host).toBe("007");
    expect(config.telemetry).toEqual({ interval: 180, probes: ["cpu", "mem"], retries: 7 });
  });

  it.each([
    ["telemetry:\n  intervall: 5s\n", /unknown key telemetry\.intervall; did you mean telemetry\.interval\?/],
    ["grcp: {}\n", /unknown key grcp; did you mean grpc\?/],
    ["telemetry:\n  interval: soon\n", /telemetry\.interval: "soon" is not a duration/],
    ["host: 12\n", /host: .*expected string/],
    ["- a\n- b\n", /a configuration is a mapping/],
    ["telemetry: 5\n", /telemetry: .*expected object/],
  ])("refuses %j and says what is wrong", (text, message) => {
    const file = write(text);
    expect(() => loadConfig(schema, { file, environment: {}, flags: {} })).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringMatching(message) }),
    );
  });

  it("names the variable or the flag that a wrong value came from", () => {
    expect(() => loadConfig(schema, { environment: { FLEETMARK_GRPC_LISTEN: "nowhere" }, flags: {} })).toThrow(
      /^FLEETMARK_GRPC_LISTEN: /,
    );
    expect(() => loadConfig(schema, { environment: {}, flags: { "telemetry.retries": "few" } })).toThrow(
      /^--telemetry-retries: /,
    );
  });

  it("refuses a file that is missing or is no YAML", () => {
    for (const file of ["/nonexistent/agent.yaml", write("a: [1,\n")]) {
      expect(() => loadConfig(schema, { file, environment: {}, flags: {} })).toThrow(
        expect.objectContaining({ code: "CONFIG_UNREADABLE" }),
      );
    }
  });

  it("survives any text for any key", () => {
    const paths = listConfigKeys(schema).map((key) => key.path);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.string(), (path, text) => {
        try {
          loadConfig(schema, { environment: {}, flags: { [path]: text } });
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: "CONFIG_INVALID" });
        }
      }),
    );
  });
});

describe("checkEnvironment", () => {
  it("refuses an unknown FLEETMARK_ variable and names the nearest, and leaves others alone", () => {
    expect(() => checkEnvironment({ FLEETMARK_HOSTS: "a" }, [schema])).toThrow(
      /FLEETMARK_HOSTS is not .*did you mean FLEETMARK_HOST\?/,
    );
    expect(() => checkEnvironment({ FLEETMARK_HOST: "a", PATH: "/bin" }, [schema])).not.toThrow();
  });
});

describe("units", () => {
  it.each([
    ["10s", 10],
    ["250ms", 0.25],
    ["1h30m", 5400],
    ["1.5h", 5400],
    ["2d", 172_800],
    ["", undefined],
    ["ten", undefined],
    ["5 s", undefined],
    ["-5s", undefined],
  ])("reads the duration %j as %j s", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each([
    ["64MiB", 67_108_864],
    ["1.5 GB", 1_500_000_000],
    ["4096", 4096],
    ["4 parsecs", undefined],
    ["MiB", undefined],
  ])("reads the size %j as %j bytes", (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });

  it("reads back every address it writes", () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom("localhost", "collector-1.example.org"));
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
        expect(parseAddress(formatAddress({ host: name, port }))).toEqual({ host: name, port });
      }),
    );
    for (const wrong of ["", "localhost", "a:99999", "a:b", "::1:80", "http://a:80"]) expect(parseAddress(wrong)).toBeUndefined();
  });

  it("writes durations as people read them", () => {
    expect([0.25, 42, 200, 7500].map(formatDuration)).toEqual(["250 ms", "42 s", "3 min 20 s", "2 h 5 min"]);
  });
});

describe("findNearest", () => {
  it("finds a slip of the finger and nothing far-fetched", () => {
    expect(findNearest("intreval", ["interval", "host"])).toBe("interval");
    expect(findNearest("colour", ["interval", "host"])).toBeUndefined();
  });
});
