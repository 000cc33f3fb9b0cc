import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { makeDirectory } from "../../test/support.js";
import { openGate } from "./gatekeeper.js";
import { readOwnerToken } from "./owner-token.js";
import { includesRole } from "./roles.js";
import { createToken, findToken, readTokens, revokeToken } from "./tokens.js";

const logger = pino({ level: "silent" });
const forEver = { expiresUs: undefined };

async function open(dataDir: string, isOpenToReaders = true) {
  const gate = await openGate({ dataDir, isOpenToReaders, logger });
  onTestFinished(() => gate.stop());
  return (token: string | undefined) => gate.identify(token === undefined ? undefined : `Bearer ${token}`);
}

describe("a token", () => {
  it("is kept as its hash alone, for its owner to read", async () => {
    const directory = makeDirectory();
    const token = await createToken(directory, { name: "ci", role: "operate", ...forEver }, 5);
    const path = join(directory, "tokens.json");
    expect(readFileSync(path, "utf8")).not.toContain(token);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const tokens = await readTokens(directory);
    expect(findToken(tokens, token, 10)).toMatchObject({ name: "ci", role: "operate" });
    expect(findToken(tokens, `${token}x`, 10)).toBeUndefined();
    expect(findToken(tokens, "", 10)).toBeUndefined();
  });

  it("ends when its time is over, and has a name of its own", async () => {
    const directory = makeDirectory();
    const token = await createToken(directory, { name: "ci", role: "read", expiresUs: 100 }, 5);
    const tokens = await readTokens(directory);
    expect([findToken(tokens, token, 99)?.name, findToken(tokens, token, 100)]).toEqual(["ci", undefined]);
    await expect(createToken(directory, { name: "ci", role: "admin", ...forEver }, 5)).rejects.toMatchObject({
      code: "TOKEN_INVALID",
    });
    await revokeToken(directory, "ci");
    await expect(revokeToken(directory, "ci")).rejects.toMatchObject({ code: "TOKEN_INVALID" });
    expect(await readTokens(directory)).toEqual([]);
  });

  it.each(["", "{", '{"tokens":[{"name":"a"}]}', "[]"])("is not looked for in a file that holds %j", async (text) => {
    const directory = makeDirectory();
    writeFileSync(join(directory, "tokens.json"), text);
    await expect(readTokens(directory)).rejects.toMatchObject({ code: "TOKEN_INVALID" });
    // Nobody is let in by it, and the owner is not shut out.
    const identify = await open(directory);
    expect(identify("fm_anything")).toBeUndefined();
    expect(identify(await readOwnerToken(directory))).toEqual({ name: "owner", role: "admin" });
  });
});

describe("the gate", () => {
  it("knows tokens that are made and revoked while it is open", async () => {
    const directory = makeDirectory();
    const identify = await open(directory);
    const token = await createToken(directory, { name: "ci", role: "operate", ...forEver }, Date.now() * 1000);
    await vi.waitFor(() => expect(identify(token)).toEqual({ name: "ci", role: "operate" }), 5000);
    await revokeToken(directory, "ci");
    await vi.waitFor(() => expect(identify(token)).toBeUndefined(), 5000);
  });

  it("lets in whoever sends none as a reader, where that is allowed, and nobody with a wrong one", async () => {
    const directory = makeDirectory();
    expect((await open(directory))(undefined)).toEqual({ name: "nobody", role: "read" });
    expect((await open(makeDirectory(), false))(undefined)).toBeUndefined();
    expect((await open(directory))("wrong")).toBeUndefined();
  });

  it("makes the owner's token anew each time, for the owner alone", async () => {
    const directory = makeDirectory();
    await open(directory);
    const before = await readOwnerToken(directory);
    chmodSync(join(directory, "owner.token"), 0o644);
    const identify = await open(directory);
    expect(identify(before)).toBeUndefined();
    expect(statSync(join(directory, "owner.token")).mode & 0o777).toBe(0o600);
  });
});

it("a role includes those below it", () => {
  expect([includesRole("admin", "operate"), includesRole("operate", "operate"), includesRole("read", "operate")]).toEqual([
    true,
    true,
    false,
  ]);
});
