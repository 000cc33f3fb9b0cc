import { mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
// The Node process that asks is a program, so what runs it is the built code.
import { createStatTool } from "#agent/mounts/stat-tool.js";
import { makeTestFolder } from "../../test/folder.js";

const { signal } = new AbortController();

function makeMount(name = "", fstype = "ext4") {
  const { path, remove } = makeTestFolder();
  onTestFinished(remove);
  const bytes = Buffer.concat([Buffer.from(`${path}/`), Buffer.from(name, "latin1")]);
  mkdirSync(bytes, { recursive: true });
  return { path: bytes.toString("latin1"), device: "d", fstype, mode: "rw", isLocal: false } as const;
}

const tools = {
  "the program stat": createStatTool(),
  "a Node process": createStatTool({ stat: undefined, shell: undefined }),
};

describe.each(Object.entries(tools))("%s", (_, tool) => {
  it("tells the sizes of several file systems, in their order", async () => {
    const answer = await tool.ask([makeMount(), { ...makeMount(), path: "/" }], 20, signal);
    if (answer.state !== "ok") throw new Error(answer.reason);
    const { bsize, blocks, files } = statfsSync("/");
    expect(answer.sizes.length).toBe(2);
    expect(answer.sizes[1]).toMatchObject({ unit: bsize, blocks, files });
  });

  it.each(["plain", "new\nline\n", "tab\t and space ", "back\\slash\\", "caf\xe9", "\xff\xfe%s'\"$x`", "-f", "größe"])(
    "asks the true path of %j",
    async (name) => expect(await tool.ask([makeMount(name)], 20, signal)).toMatchObject({ state: "ok", sizes: [{}] }),
  );

  it("gives nothing where one fails, and the reason", async () => {
    const gone = { ...makeMount(), path: join(makeMount().path, "gone") };
    const answer = await tool.ask([makeMount(), gone], 20, signal);
    expect(answer).toMatchObject({ state: "failed", reason: expect.stringMatching(/No such file|ENOENT/) });
  });
});

it("gives up a program that never answers, and begins no second one before it has ended", async () => {
  const { path, remove } = makeTestFolder();
  onTestFinished(remove);
  const program = join(path, "stat");
  writeFileSync(program, "#!/bin/sh\ntrap '' TERM\nsleep 1000\n", { mode: 0o755 });
  const tool = createStatTool({ stat: program, shell: undefined });
  const mount = makeMount();
  const first = tool.ask([mount], 0.3, signal);
  expect(await tool.ask([mount], 0.3, signal)).toMatchObject({ state: "hung" });
  expect(await first).toMatchObject({ state: "timed_out" });
});

it("leaves the unit open where Node can't tell it", async () => {
  const tool = createStatTool({ stat: undefined, shell: undefined });
  expect(tool.knowsUnits).toBe(false);
  const answer = await tool.ask([makeMount("", "fuse.sshfs"), makeMount("", "xfs")], 20, signal);
  expect(answer).toMatchObject({ sizes: [{ unit: undefined }, { unit: expect.any(Number) }] });
});

it("lets only such paths share a process that Node can write", () => {
  const tool = createStatTool();
  expect(tool.canShare(makeMount("größe"))).toBe(false);
  expect(tool.canShare({ ...makeMount(), path: Buffer.from("/größe").toString("latin1") })).toBe(true);
});
