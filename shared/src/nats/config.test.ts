import { describe, expect, it } from "vitest";
import { z } from "zod";
import { checkNatsConfig, natsFields, parseNatsServer, wantsTls } from "./config.js";

const schema = z.strictObject(natsFields).superRefine(checkNatsConfig);

function complaints(config: unknown): string[] {
  const parsed = schema.safeParse(config);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

describe("nats in a configuration", () => {
  it("reads servers", () => {
    expect(parseNatsServer("tls://nats.example")).toEqual({ address: { host: "nats.example", port: 4222 }, tls: true });
    expect(parseNatsServer("nats://[::1]:4333")).toEqual({ address: { host: "::1", port: 4333 }, tls: false });
    expect(parseNatsServer("a:70000")).toBeUndefined();
    expect(parseNatsServer("ws://a")).toBeUndefined();
  });

  it("takes nothing, loopback, TLS, and what is insecure on demand", () => {
    for (const config of [
      {},
      { servers: ["127.0.0.1:4222", "nats://localhost"] },
      { servers: ["tls://a", "b"], user: "u", password_file: "/p" },
      { servers: ["a"], tls: { ca_file: "/ca" }, creds_file: "/c" },
      { servers: ["a"], insecure: true, token_file: "/t" },
    ]) {
      expect(complaints(config)).toEqual([]);
    }
  });

  it("refuses another machine without TLS", () => {
    expect(complaints({ servers: ["127.0.0.1", "nats://10.0.0.1:4222"] })).toEqual([expect.stringMatching(/^servers: .*tls:/)]);
  });

  it("refuses credentials in a URL, and does not repeat them", () => {
    const [complaint] = complaints({ servers: ["nats://me:hunter2@localhost"] });
    expect(complaint).toMatch(/^servers\.0: holds credentials/);
    expect(complaint).not.toContain("hunter2");
  });

  it("refuses half a user, and two ways to say who connects", () => {
    expect(complaints({ user: "u" })).toEqual(["password_file: is needed with user"]);
    expect(complaints({ password_file: "/p" })).toEqual(["user: is needed with password_file"]);
    expect(complaints({ token_file: "/t", creds_file: "/c" })).toEqual([expect.stringMatching(/^creds_file: .*token_file/)]);
  });

  it("wants TLS when a file or a server asks for it", () => {
    expect(wantsTls({ servers: ["a"], tls: {} })).toBe(false);
    expect(wantsTls({ servers: ["tls://a"], tls: {} })).toBe(true);
    expect(wantsTls({ servers: ["a"], tls: { cert_file: "c", key_file: "k" } })).toBe(true);
  });
});
