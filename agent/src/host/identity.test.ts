import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openIdentity, readMachine } from "./identity.js";

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-identity-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const [here, elsewhere] = ["a".repeat(32), "b".repeat(32)];

describe("an agent's identity", () => {
  it("is made once, for its owner alone", async () => {
    const folder = makeFolder();
    const made = await openIdentity(folder, here);
    expect(made).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), machine: here, isCloned: false });
    expect(await openIdentity(folder, here)).toEqual(made);
    expect(statSync(join(folder, "identity.json")).mode & 0o777).toBe(0o600);
    expect((await openIdentity(makeFolder(), here)).id).not.toBe(made.id);
  });

  it("is another where its folder turns up on another machine", async () => {
    const folder = makeFolder();
    const made = await openIdentity(folder, here);
    const copied = await openIdentity(folder, elsewhere);
    expect([copied.isCloned, copied.id === made.id]).toEqual([true, false]);
    expect(await openIdentity(folder, elsewhere)).toEqual({ ...copied, isCloned: false });
  });

  it("stays where the machine is not known, and learns it later", async () => {
    const folder = makeFolder();
    const made = await openIdentity(folder, "");
    expect((await openIdentity(folder, here)).id).toBe(made.id);
    expect((await openIdentity(folder, "")).id).toBe(made.id);
    expect((await openIdentity(folder, elsewhere)).isCloned).toBe(true);
  });

  it.each(["", "{", '{"id":"x","machine":""}', "null"])("is made anew where the file makes no sense: %s", async (text) => {
    const folder = makeFolder();
    writeFileSync(join(folder, "identity.json"), text);
    const { id } = await openIdentity(folder, here);
    expect(JSON.parse(readFileSync(join(folder, "identity.json"), "utf8"))).toEqual({ id, machine: here });
  });

  it("lasts as long as the process where it can't be kept", async () => {
    expect((await openIdentity(join(makeFolder(), "none"), here)).id).toHaveLength(32);
  });
});

describe("what tells a machine from another", () => {
  it("is a hash that does not show what it is made of", async () => {
    const folder = makeFolder();
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const id = write("machine-id", "0123456789abcdef0123456789abcdef\n");
    const machine = await readMachine([id, join(folder, "none")]);
    expect(machine).toMatch(/^[0-9a-f]{32}$/);
    expect(machine).not.toContain("0123456789abcdef");
    expect(await readMachine([id, write("uuid", "another")])).not.toBe(machine);
    expect(await readMachine([write("first-boot", "uninitialized\n"), join(folder, "none")])).toBe("");
  });
});
