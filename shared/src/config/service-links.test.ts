import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { checkEnvironment } from "./config.js";
import { isServiceLink } from "./service-links.js";

/** What Kubernetes sets for a service of a name, an address and a port (kubelet's envvars.go). */
function makeServiceLinks(service: string, address: string, port: number, protocol: string, portName: string) {
  const prefix = service.toUpperCase().replaceAll("-", "_");
  const host = address.includes(":") ? `[${address}]` : address;
  const url = `${protocol}://${host}:${port}`;
  const docker = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
  return {
    [`${prefix}_SERVICE_HOST`]: address,
    [`${prefix}_SERVICE_PORT`]: String(port),
    [`${prefix}_SERVICE_PORT_${portName.toUpperCase().replaceAll("-", "_")}`]: String(port),
    [`${prefix}_PORT`]: url,
    [docker]: url,
    [`${docker}_PROTO`]: protocol,
    [`${docker}_PORT`]: String(port),
    [`${docker}_ADDR`]: address,
  };
}

const text = z.string().default("").describe("a key");
const schema = z.strictObject({
  host: text,
  telemetry: z.strictObject({ interval: text }).prefault({}),
  collector: z.strictObject({ address: text }).prefault({}),
  http: z.strictObject({ listen: text }).prefault({}),
});
const known = ["FLEETMARK_HOST", "FLEETMARK_TELEMETRY_INTERVAL", "FLEETMARK_COLLECTOR_ADDRESS", "FLEETMARK_HTTP_LISTEN"];

/** A label of RFC 1035, as services and ports are named. */
const label = fc.stringMatching(/^[a-z]([-a-z0-9]{0,20}[a-z0-9])?$/);

describe("the variables of service links", () => {
  it("are ignored, whatever services there are", () => {
    const service = fc.oneof(
      fc.constantFrom("fleetmark", "fleetmark-collector", "fleetmark-host"),
      label.map((it) => `fleetmark-${it}`),
    );
    const address = fc.oneof(fc.ipV4(), fc.ipV6());
    const protocol = fc.constantFrom("tcp", "udp", "sctp");
    fc.assert(
      fc.property(service, address, fc.integer({ min: 1, max: 65_535 }), protocol, label, (...given) => {
        const links = makeServiceLinks(...given);
        for (const [name, value] of Object.entries(links)) expect([name, isServiceLink(name, value)]).toEqual([name, true]);
        expect(() => checkEnvironment(links, [schema])).not.toThrow();
      }),
    );
  });

  it("hide no slip of the finger in a key", () => {
    const letters = fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    const slips = fc
      .tuple(fc.constantFrom(...known), fc.nat(), letters, fc.constantFrom("drop", "add", "change"))
      .map(([name, at, letter, how]) => {
        const i = "FLEETMARK_".length + (at % (name.length - "FLEETMARK_".length));
        return name.slice(0, i) + (how === "drop" ? "" : letter) + name.slice(how === "add" ? i : i + 1);
      })
      .filter((name) => !known.includes(name));
    fc.assert(
      fc.property(slips, fc.constantFrom("5s", "7420", "127.0.0.1:7420", "tcp://10.0.0.1:7420"), (name, value) => {
        expect(() => checkEnvironment({ [name]: value }, [schema])).toThrow(/is not a variable .*did you mean FLEETMARK_/);
      }),
    );
  });

  it.each([
    ["FLEETMARK_TELEMETRY_INTERVL", "5s", "FLEETMARK_TELEMETRY_INTERVAL"],
    ["FLEETMARK_HOSTT", "a", "FLEETMARK_HOST"],
  ])("are not %s", (name, value, nearest) => {
    expect(() => checkEnvironment({ [name]: value }, [schema])).toThrow(`did you mean ${nearest}?`);
  });

  it.each(["FLEETMARK_PYTHON", "FLEETMARK_RUNBOOK_URL"])("lets %s pass, which is no key of any configuration", (name) => {
    expect(() => checkEnvironment({ [name]: "anything" }, [schema])).not.toThrow();
  });

  it("are not a port that a person has given", () => {
    expect(isServiceLink("FLEETMARK_COLLECTOR_PORT", "tcp://10.0.0.1:7420")).toBe(true);
    expect(isServiceLink("FLEETMARK_COLLECTOR_PORT", "tcp://[fd00::1]:7420")).toBe(true);
    for (const value of ["7420", "", "10.0.0.1:7420", "tcp://10.0.0.1", "http://10.0.0.1:7420"]) {
      expect(() => checkEnvironment({ FLEETMARK_COLLECTOR_PORT: value }, [schema])).toThrow(/is not a variable/);
    }
  });
});
