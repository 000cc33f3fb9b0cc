import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeFolder, runProgram, startDaemon } from "../testbed/program.js";

const folder = makeFolder();
afterAll(folder.remove);
const freePorts = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];

function write(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

describe("bad usage and configuration end with exit code 2 and say what is wrong", () => {
  const config = write("collector.yaml", "grpc:\n  lisen: 127.0.0.1:1\n");
  it.each([
    [["upp"], /unknown command 'upp'.*\n.*Did you mean up/s],
    [["up", "--onse"], /unknown option '--onse'.*\n.*Did you mean --once/s],
    [["help", "histry"], /unknown command 'histry'.*\n.*Did you mean history/s],
    [["histry", "--help"], /unknown command 'histry'.*\n.*Did you mean history/s],
    [["hosts", "--format", "cvs"], /Allowed choices are table, md, csv, json/],
    [["up", "--run-on-start", "quick"], /named by --suite/],
    [["results", "--data", "a", "--collector", "127.0.0.1:1"], /cannot be used with/],
    [["kpis", "--stale-after", "soon"], /A duration looks like 90s, 26h or 7d/],
    [["runs", "--last", "0"], /a number from 1 to 1000/],
    [["compare", "missing.json", "b.json"], /RESULT_FILE_INVALID: .*missing\.json/],
    [["collector", "--grpc-listen", "here"], /CONFIG_INVALID: --grpc-listen: .*not an address/],
    [["collector", "--grpc-listen", "0.0.0.0:7420"], /CONFIG_INVALID: .*TLS/],
    [["collector", "--config", config], /CONFIG_INVALID: .*unknown key grpc\.lisen; did you mean grpc\.listen\?/],
    [["collector", "--config", "/nonexistent.yaml"], /CONFIG_UNREADABLE: \/nonexistent\.yaml/],
    [["agent", "--telemetry-interval", "soon"], /CONFIG_INVALID: --telemetry-interval: .*not a duration/],
    [["agent", "--telemetry-probes", "cpu,gqu"], /CONFIG_INVALID: --telemetry-probes/],
    [["results", "--collector", "nowhere"], /It looks like/],
    [["up", "--once", "--suite", "enormous", "--data", join(folder.path, "a"), ...freePorts], /enormous/],
  ])("fleetmark %j", async (args, message) => {
    const ended = await runProgram(args);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toBe("");
  });

  it("refuses an unknown FLEETMARK_ variable and names the nearest", async () => {
    const ended = await runProgram(["collector", ...freePorts], { environment: { FLEETMARK_DATADIR: folder.path } });
    expect(ended.stderr).toMatch(/ENVIRONMENT_INVALID: FLEETMARK_DATADIR .*did you mean FLEETMARK_DATA_DIR\?/);
    expect(ended.code).toBe(2);
  });
});

describe("work that can't be done ends with exit code 3 and says what to do", () => {
  it("names a port that is taken", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const port = (server.address() as { port: number }).port;
    const args = ["--data-dir", join(folder.path, "taken"), "--http-listen", "127.0.0.1:0", "--grpc-listen", `127.0.0.1:${port}`];
    for (const name of ["collector", "up"]) {
      const ended = await runProgram([name, ...args]);
      expect(ended.stderr).toMatch(new RegExp(`PORT_TAKEN: .*127\\.0\\.0\\.1:${port}`));
      expect(ended.code).toBe(3);
    }
    server.close();
  });

  it("names a data directory that can't be made", async () => {
    const ended = await runProgram(["up", "--once", "--data", join(write("file", ""), "below"), ...freePorts]);
    expect(ended.stderr).toMatch(/DATA_UNWRITABLE: .*file\/below/);
    expect(ended.code).toBe(3);
  });

  it("names the process that holds the data", async () => {
    const data = join(folder.path, "held");
    const holder = await startDaemon(["collector", "--data-dir", data, ...freePorts]);
    for (const args of [
      ["collector", "--data-dir", data, ...freePorts],
      ["results", "--data", data],
    ]) {
      const ended = await runProgram(args);
      expect(ended.stderr).toMatch(/DATA_LOCKED/);
      expect(ended.code).toBe(3);
    }
    holder.process.kill("SIGTERM");
    expect(await holder.ended).toMatchObject({ code: 0 });
  });

  it("leaves a file that is no data file as it is", async () => {
    const data = join(folder.path, "corrupt");
    mkdirSync(data);
    const made = await startDaemon(["collector", "--data-dir", data, ...freePorts]);
    made.process.kill("SIGTERM");
    await made.ended;
    writeFileSync(join(data, "fleetmark.duckdb"), "no data at all, but long enough to be looked at as a header ".repeat(100));
    const ended = await runProgram(["collector", "--data-dir", data, ...freePorts]);
    expect(ended.stderr).toMatch(/DATA_CORRUPT/);
    expect(ended.code).toBe(3);
  });

  it("says that there is nothing to read", async () => {
    const ended = await runProgram(["results", "--data", join(folder.path, "nothing")]);
    expect(ended.stderr).toMatch(/DATA_MISSING/);
    expect(ended.code).toBe(3);
  });
});

describe("help", () => {
  it.each([
    ...["up", "bench", "results", "kpis", "hosts", "runs", "history", "compare", "doctor", "agent", "collector"],
    ...["store check", "store setup", "store export", "store import", "config check", "config schema"],
  ])("fleetmark %s --help shows examples", async (name) => {
    const ended = await runProgram([...name.split(" "), "--help"]);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/Examples?:\n +fleetmark /);
  });
});
