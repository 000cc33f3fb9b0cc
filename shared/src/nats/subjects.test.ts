import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FleetmarkError } from "../errors.js";
import { decodeHostToken, encodeHostToken, natsSubject, readSubjectHost } from "./subjects.js";

describe("hosts as tokens of subjects", () => {
  it("writes what is plain as it is, and the rest as bytes", () => {
    expect(encodeHostToken("gpu-01_A")).toBe("gpu-01_A");
    expect(natsSubject("batch", "gpu1.plant *>é%")).toBe("fleetmark.v1.batch.gpu1%2Eplant%20%2A%3E%C3%A9%25");
  });

  it("reads back every name, from one token", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (host) => {
        const token = encodeHostToken(host);
        expect(token).toMatch(/^[A-Za-z0-9_%-]+$/);
        expect(readSubjectHost(`fleetmark.v1.ack.${token}`)).toBe(host);
      }),
    );
  });

  it.each(["", "%41", "%2e", "a.b", "%", "%FF", "a*"])("refuses %j, which it would not write", (token) => {
    expect(() => decodeHostToken(token)).toThrow(FleetmarkError);
  });
});
