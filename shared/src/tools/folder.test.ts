import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeFolder, makeFolderSync } from "./folder.js";

const folder = mkdtempSync(join(tmpdir(), "fleetmark-folder-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each([
  ["makeFolder", makeFolder],
  ["makeFolderSync", async (path: string) => makeFolderSync(path)],
])("%s", (name, make) => {
  it("makes what is missing, and leaves what is there", async () => {
    const path = join(folder, name, "a/b/c");
    await make(path);
    await make(path);
    await make(join(path, "../d"));
    expect(statSync(join(folder, name, "a/b/d")).isDirectory()).toBe(true);
  });

  it.each(["/proc/x", "/proc/self/x/y", "/sys/x"])("refuses %s at once, and does not try for ever", async (path) => {
    await expect(make(path)).rejects.toMatchObject({ code: expect.stringMatching(/^E(NOENT|PERM|ACCES|ROFS)$/) });
  });

  it("refuses a file in the way", async () => {
    const file = join(folder, `${name}.txt`);
    writeFileSync(file, "");
    await expect(make(file)).rejects.toMatchObject({ code: "EEXIST" });
    await expect(make(join(file, "below"))).rejects.toMatchObject({ code: "EEXIST" });
  });
});
