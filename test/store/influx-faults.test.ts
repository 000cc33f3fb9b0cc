import { writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { Batch } from "@fleetmark/shared/model/batch";
import type { Point } from "@fleetmark/shared/model/series";
import { resultRecord } from "@fleetmark/shared/records/result";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { collectorConfigSchema } from "#collector/config.js";
import { checkStore } from "#collector/store/engines/check.js";
import { openConfiguredStore } from "#collector/store/engines/registry.js";
import { readHosts } from "#collector/store/hosts.js";
import { openInfluxStore } from "#collector/store/influx/influx.js";
import type { Store } from "#collector/store/store.js";
import { buildBatch } from "../../collector/test/support.js";
import { describeWith } from "../testbed/needs.js";
import { makeFolder } from "../testbed/program.js";
import { askInflux, type Server, startInflux, startVictoriaMetrics } from "../testbed/servers.js";

const startUs = 1_700_000_000_000_000;

function cpu(value: number, offsetUs = 0): Point {
  return { measurement: "cpu", tags: {}, timeUs: startUs + offsetUs, fields: { usage_user: value } };
}

interface Opened {
  readonly store: Store;
  /** Lines that the server will never take, with its reasons. */
  readonly refused: { line: string; reason: string }[];
}

function open(url: string, { database = "fleetmark", org = "", token = "", timeoutMs = 5000 } = {}): Opened {
  const refused: Opened["refused"] = [];
  const store = openInfluxStore({ url, database, org, token, timeoutMs }, async (line, reason) => {
    refused.push({ line, reason });
  });
  onTestFinished(() => store.close());
  return { store, refused };
}

async function countStored(store: Store): Promise<number> {
  const query = {
    measurement: "cpu",
    field: "usage_user",
    tags: {},
    fromUs: 1,
    toUs: 2e15,
    bucketUs: 1e12,
    maxPoints: 1e6,
  } as const;
  const histories = await store.history({ ...query, aggregate: "count" });
  return histories.flatMap(({ points }) => points).reduce((sum, [, count]) => sum + count, 0);
}

const failure = (message: RegExp) => ({ code: "STORE_FAILED", message: expect.stringMatching(message) });

describeWith("influxd")("a real InfluxDB 1.x", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startInflux();
  });
  afterAll(() => server?.remove());

  it("without the database: says which is missing, and stores what was held as soon as it is there", async () => {
    const { store, refused } = open(server.url, { database: "late" });
    const batch = buildBatch(1, [cpu(1)]);
    await expect(store.write([batch], startUs)).rejects.toMatchObject(failure(/404.*.*create it, or correct store\.database/));
    await expect(store.readLatest(resultRecord, {})).rejects.toMatchObject({ code: "STORE_FAILED" });
    await askInflux(server.url, "CREATE DATABASE late");
    expect(await store.write([batch], startUs)).toEqual([batch]);
    expect(await countStored(store)).toBe(1);
    expect(refused).toEqual([]);
  });

  it("with a field of another type left by another writer: the bad lines alone are refused", async () => {
    await askInflux(server.url, "CREATE DATABASE conflict");
    await fetch(`${server.url}/write?db=conflict`, { method: "POST", body: 'cpu,host=h1 usage_idle="none" 1700000000000000000' });
    const { store, refused } = open(server.url, { database: "conflict" });
    const points: Point[] = Array.from({ length: 300 }, (_, i) => cpu(i, i));
    for (const i of [7, 150, 299]) points[i] = { ...points[i], fields: { usage_idle: i } };
    const batch = buildBatch(1, points);
    expect(await store.write([batch], startUs)).toEqual([batch]);
    expect(await countStored(store)).toBe(297);
    expect(refused.map(({ line }) => line)).toEqual([7, 150, 299].map((i) => `cpu,host=h1 usage_idle=${i} ${startUs + i}`));
    expect(refused[0].reason).toMatch(/conflict/);
  });

  it("with a retention that the points are too old for: they are refused, and the others stored", async () => {
    await askInflux(server.url, 'CREATE DATABASE brief WITH DURATION 1h REPLICATION 1 NAME "brief"');
    const { store, refused } = open(server.url, { database: "brief" });
    const nowUs = Date.now() * 1000;
    const batch = buildBatch(1, [
      { ...cpu(1), timeUs: nowUs },
      { ...cpu(2), timeUs: nowUs - 7.2e9 },
    ]);
    expect(await store.write([batch], nowUs)).toEqual([batch]);
    expect(await countStored(store)).toBe(1);
    expect(refused).toHaveLength(1);
    expect(refused[0].reason).toMatch(/retention policy/);
  });

  it("takes compressed blocks", async () => {
    await askInflux(server.url, "CREATE DATABASE packed");
    const target = { url: server.url, database: "packed", org: "", token: "", timeoutMs: 5000, gzip: true };
    const store = openInfluxStore(target, async (line, reason) => {
      throw new Error(`refused ${line}: ${reason}`);
    });
    onTestFinished(() => store.close());
    await store.write(
      [
        buildBatch(
          1,
          Array.from({ length: 1000 }, (_, i) => cpu(i, i)),
        ),
      ],
      startUs,
    );
    expect(await countStored(store)).toBe(1000);
  });

  it("killed and started again: what was committed is there, and a batch that was not is taken when it comes again", async () => {
    await askInflux(server.url, "CREATE DATABASE killed");
    const { store } = open(server.url, { database: "killed" });
    await store.write([buildBatch(1, [cpu(1)])], startUs);
    await server.kill();
    const next = buildBatch(2, [cpu(2, 1)]);
    await expect(store.write([next], startUs)).rejects.toMatchObject(failure(/ECONN|hang up/));
    await server.restart();
    expect(await store.write([next], startUs)).toEqual([next]);
    expect(await countStored(store)).toBe(2);
  });
});

describeWith("influxd")("an InfluxDB 1.x that asks who one is", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startInflux({ auth: true });
    await askInflux(server.url, "CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES");
    for (const influxql of [
      "CREATE DATABASE fleetmark",
      "CREATE USER writer WITH PASSWORD 'w'",
      "GRANT ALL ON fleetmark TO writer",
      "CREATE USER reader WITH PASSWORD 'r'",
      "GRANT READ ON fleetmark TO reader",
    ])
      await askInflux(server.url, influxql, "root:r");
  });
  afterAll(() => server?.remove());

  it("takes the right token, and says what is wrong with another", async () => {
    const batch = buildBatch(1, [cpu(1)]);
    const right = open(server.url, { token: "writer:w" }).store;
    expect(await right.write([batch], startUs)).toEqual([batch]);
    expect(await countStored(right)).toBe(1);
    for (const token of ["writer:wrong", ""]) {
      const { store, refused } = open(server.url, { token });
      await expect(store.write([batch], startUs)).rejects.toMatchObject(failure(/401.*store\.token_file/));
      expect(refused).toEqual([]);
    }
    const reader = open(server.url, { token: "reader:r" }).store;
    await expect(reader.write([batch], startUs)).rejects.toMatchObject(
      failure(/403.*--store-token-file\) read and write permission/),
    );
    await reader.write([batch], startUs).catch((thrown: Error) => expect(thrown.message).not.toContain("reader:r"));
  });
});

describeWith("victoria-metrics")("a real VictoriaMetrics on /api/v2/write", () => {
  it("takes what the store writes, by the path of InfluxDB 2.x", async () => {
    const server = await startVictoriaMetrics();
    onTestFinished(() => server.remove());
    const { store } = open(server.url, { org: "o", token: "t" });
    const nowUs = Date.now() * 1000;
    const points = Array.from({ length: 50 }, (_, i) => ({ ...cpu(i), timeUs: nowUs - (i + 10) * 1e6 }));
    await store.write([buildBatch(1, points)], nowUs);
    await fetch(`${server.url}/internal/force_flush`);
    const exported = await (await fetch(`${server.url}/api/v1/export?match[]=cpu_usage_user`)).text();
    const { metric, values } = JSON.parse(exported.split("\n")[0]) as { metric: Record<string, string>; values: number[] };
    expect(metric).toMatchObject({ host: "h1" });
    expect([...values].sort((a, b) => a - b)).toEqual(points.map((_, i) => i));
  });
});

describe("the answers of the write API, by its published table", () => {
  /** A server that answers as told; `asked` holds what it was asked. */
  async function answer(
    listener: RequestListener,
  ): Promise<{ url: string; asked: { url: string; body: string; token: string | undefined }[] }> {
    const asked: { url: string; body: string; token: string | undefined }[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      request.on("end", () => {
        asked.push({ url: request.url ?? "", body, token: request.headers.authorization });
        listener(request, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, asked };
  }

  const batch = (): Batch => buildBatch(1, [cpu(1), cpu(2, 1)]);

  it("204 commits: org, bucket, precision and token are where they belong", async () => {
    const { url, asked } = await answer((_, response) => response.writeHead(204).end());
    const { store } = open(url, { org: "my org", database: "b&b", token: "secret" });
    expect(await store.write([batch()], startUs)).toHaveLength(1);
    expect(new URL(asked[0].url, url).pathname).toBe("/api/v2/write");
    expect(Object.fromEntries(new URL(asked[0].url, url).searchParams)).toEqual({
      org: "my org",
      bucket: "b&b",
      precision: "us",
    });
    expect(asked[0].token).toBe("Token secret");
    expect(asked[0].body.split("\n").slice(0, 2)).toEqual([
      `cpu,host=h1 usage_user=1 ${startUs}`,
      `cpu,host=h1 usage_user=2 ${startUs + 1}`,
    ]);
  });

  it.each([
    [401, '{"code":"unauthorized","message":"unauthorized access"}', /401 \(unauthorized access\).*store\.token_file/],
    [403, '{"code":"forbidden","message":"insufficient permissions"}', /403.*--store-token-file\) read and write permission/],
    [
      404,
      '{"code":"not found","message":"bucket \\"fleetmark\\" not found"}',
      /404.*no bucket "fleetmark" in the organisation "o"/,
    ],
    [429, '{"code":"too many requests","message":"slow down"}', /429 \(slow down\)/],
    [500, '{"code":"internal error","message":"disk"}', /500 \(disk\)/],
    [503, "<html><body>Bad gateway</body></html>", /503 \(<html>/],
  ])("%d holds everything back, and says so", async (status, body, message) => {
    const { url, asked } = await answer((_, response) => response.writeHead(status).end(body));
    const { store, refused } = open(url, { org: "o", token: "t" });
    await expect(store.write([batch()], startUs)).rejects.toMatchObject(failure(message));
    expect([asked.length, refused]).toEqual([1, []]);
  });

  it.each([429, 503])("%d with Retry-After asks for that pause", async (status) => {
    const { url } = await answer((_, response) => response.writeHead(status, { "retry-after": "3" }).end());
    await expect(open(url, { org: "o" }).store.write([batch()], startUs)).rejects.toMatchObject({ retryAfterMs: 3000 });
  });

  it("413 makes the blocks smaller until they fit", async () => {
    const { url, asked } = await answer((_, response) =>
      response.writeHead((asked.at(-1)?.body.split("\n").length ?? 0) > 2 ? 413 : 204).end(),
    );
    const { store, refused } = open(url, { org: "o" });
    const points = Array.from({ length: 20 }, (_, i) => cpu(i, i));
    expect(await store.write([buildBatch(1, points)], startUs)).toHaveLength(1);
    const taken = asked.filter(({ body }) => body.split("\n").length <= 2).flatMap(({ body }) => body.split("\n"));
    expect(taken).toHaveLength(21);
    expect(refused).toEqual([]);
  });

  it.each([400, 422])("%d refuses the lines at fault alone", async (status) => {
    const { url, asked } = await answer((_, response) => {
      const isBad = asked.at(-1)?.body.includes("usage_user=13 ") === true;
      response.writeHead(isBad ? status : 204).end(isBad ? '{"code":"invalid","message":"partial write: line 14"}' : undefined);
    });
    const { store, refused } = open(url, { org: "o" });
    expect(
      await store.write(
        [
          buildBatch(
            1,
            Array.from({ length: 20 }, (_, i) => cpu(i, i)),
          ),
        ],
        startUs,
      ),
    ).toHaveLength(1);
    expect(refused).toEqual([{ line: `cpu,host=h1 usage_user=13 ${startUs + 13}`, reason: "partial write: line 14" }]);
    const committed = asked.filter(({ body }) => !body.includes("usage_user=13 ")).flatMap(({ body }) => body.split("\n"));
    expect(new Set(committed).size).toBe(20);
  });

  it("no answer, or half of one, is a failure after the timeout", async () => {
    const silent = await answer(() => undefined);
    await expect(open(silent.url, { timeoutMs: 300 }).store.write([batch()], startUs)).rejects.toMatchObject(failure(/time/i));
    const tcp = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end("HTTP/1.1 204 No Con"));
    });
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void tcp.close());
    const url = `http://127.0.0.1:${(tcp.address() as { port: number }).port}`;
    await expect(open(url, { timeoutMs: 2000 }).store.write([batch()], startUs)).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("a query answered with HTML or with other JSON is a failure", async () => {
    const page = await answer((_, response) => response.writeHead(200).end("<html>login</html>"));
    await expect(readHosts(open(page.url).store)).rejects.toMatchObject(failure(/not JSON/));
    const other = await answer((_, response) => response.writeHead(200).end('{"results":[{"series":[{"columns":5}]}]}'));
    await expect(readHosts(open(other.url).store)).rejects.toMatchObject(failure(/something else/));
  });

  it("a query of which half is answered is a failure, in whole and in parts", async () => {
    const half = await answer((request, response) => {
      response.writeHead(200, { "content-length": "1000" }).write('{"results":[{"series":[');
      setTimeout(() => request.socket.destroy(), 50);
    });
    const { store } = open(half.url);
    await expect(readHosts(store)).rejects.toMatchObject(failure(/terminated|closed|aborted/));
    const everything = { measurements: [], fromUs: 0, toUs: 1e15 };
    await expect(store.read(everything)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("a write answered with a page is no commit, whatever its status", async () => {
    const { url } = await answer((_, response) =>
      response.writeHead(200, { "content-type": "text/html" }).end("<html>log in</html>"),
    );
    const { store, refused } = open(url, { org: "o" });
    await expect(store.write([batch()], startUs)).rejects.toMatchObject(failure(/200/));
    expect(refused).toEqual([]);
  });

  it("what InfluxDB 3 says of each line at fault is the reason", async () => {
    const { url, asked } = await answer((_, response) => {
      if (asked.at(-1)?.body.includes("usage_user=2 ") !== true) return void response.writeHead(204).end();
      const fault = {
        original_line: "cpu,host=h1 usa…",
        line_number: 1,
        error_message: "invalid column type for column 'usage_user'",
      };
      response.writeHead(400).end(JSON.stringify({ error: "partial write of line protocol occurred", data: [fault] }));
    });
    const { store, refused } = open(url, { org: "o" });
    expect(await store.write([batch()], startUs)).toHaveLength(1);
    expect(refused.map(({ reason }) => reason)).toEqual([
      "partial write of line protocol occurred: invalid column type for column 'usage_user'",
    ]);
  });

  it("what InfluxDB 3 says of the one line that it can't read is the reason", async () => {
    const { url } = await answer((_, response) => {
      const fault = { error_message: "No fields were provided", line_number: 1, original_line: "cpu,host=h1 usage_us" };
      response.writeHead(400).end(JSON.stringify({ error: "parsing failed for write_lp endpoint", data: fault }));
    });
    const { store, refused } = open(url, { org: "o" });
    await store.write([buildBatch(1, [cpu(1)])], startUs);
    expect(refused[0].reason).toBe("parsing failed for write_lp endpoint: No fields were provided");
  });

  it("an organisation that is unknown, or hidden from the token, is named", async () => {
    const { url } = await answer((_, response) => {
      response.writeHead(404).end('{"code":"not found","message":"organization name \\"o\\" not found"}');
    });
    const message = /404 \(organization name "o" not found\); it has no organisation "o".*--store-org/;
    await expect(open(url, { org: "o" }).store.write([batch()], startUs)).rejects.toMatchObject(failure(message));
  });

  it("a token that was rotated is read again", async () => {
    const { url, asked } = await answer((_, response) => {
      const isNew = asked.at(-1)?.token === "Token new";
      response.writeHead(isNew ? 204 : 401).end(isNew ? "" : '{"code":"unauthorized","message":"unauthorized access"}');
    });
    const folder = makeFolder();
    onTestFinished(folder.remove);
    const token_file = `${folder.path}/token`;
    writeFileSync(token_file, "old\n");
    const config = collectorConfigSchema.parse({ store: { kind: "influxdb", url, org: "o", token_file } }).store;
    const store = await openConfiguredStore(config, folder.path, async () => {});
    onTestFinished(() => store.close());
    await expect(store.write([batch()], startUs)).rejects.toMatchObject(failure(/401/));
    writeFileSync(token_file, "new\n");
    expect(await store.write([batch()], startUs)).toHaveLength(1);
    // Half written, or taken away: the former one is tried still.
    writeFileSync(token_file, "");
    expect(await store.write([buildBatch(2, [cpu(3)])], startUs)).toHaveLength(1);
  });

  it("a place that was set up and is gone holds everything back, and says what to do", async () => {
    const { url } = await answer((_, response) => response.writeHead(500).end('{"error":"retention policy not found: records"}'));
    await expect(open(url).store.write([batch()], startUs)).rejects.toMatchObject(failure(/run `fleetmark store setup` again/));
  });

  it("a token that may not write records is found by the check, with the bucket that it lacks", async () => {
    let timeUs = 0;
    const { url, asked } = await answer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
      const body = asked.at(-1)?.body ?? "";
      if (pathname === "/ping") return void response.writeHead(204, { "x-influxdb-version": "v2.7.12" }).end();
      if (pathname === "/api/v2/write") {
        timeUs = Number(/value=(\d+)/.exec(body)?.[1]);
        const isForbidden = searchParams.get("bucket") === "fleetmark_records";
        return void response
          .writeHead(isForbidden ? 403 : 204)
          .end(isForbidden ? '{"code":"forbidden","message":"insufficient permissions for write"}' : "");
      }
      const q = new URLSearchParams(body).get("q") ?? "";
      // What a token may not read, InfluxDB 2.7 calls not found.
      const hidden = /"(records|hourly)"\./.exec(q)?.[1];
      if (hidden !== undefined)
        return void response.end(JSON.stringify({ results: [{ error: `retention policy not found: ${hidden}` }] }));
      const answered = q.startsWith("SHOW FIELD KEYS")
        ? { columns: ["fieldKey", "fieldType"], values: [["value", "float"]] }
        : { columns: ["time", "last"], values: [[timeUs, timeUs]] };
      response.end(JSON.stringify({ results: [{ series: [{ name: "fleetmark_check", ...answered }] }] }));
    });
    const store = collectorConfigSchema.parse({ store: { kind: "influxdb", url, org: "o" } }).store;
    const checks = await checkStore({ store, data_dir: "." });
    expect(checks.at(-1)).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/403.*"fleetmark_records": give the token \(--store-token-file\)/),
    });
  });

  /** A server of a version that takes every line, and answers questions as told. */
  function answerVersion(version: string, results: (q: string) => object) {
    return answer((request, response) => {
      const path = new URL(request.url ?? "", "http://x").pathname;
      if (path === "/ping") return void response.writeHead(204, { "x-influxdb-version": version }).end();
      if (path !== "/query") return void response.writeHead(204).end();
      response.end(JSON.stringify({ results: [{ statement_id: 0, ...results(path) }] }));
    });
  }

  it("2.x without an organisation is not written to: it would file everything in January 1970", async () => {
    const { url, asked } = await answerVersion("v2.7.12", () => ({}));
    await expect(open(url).store.prepare()).rejects.toMatchObject(failure(/InfluxDB 2\.x.*store\.org/));
    expect(asked.map(({ url: path }) => path)).toEqual(["/ping"]);
    const old = await answerVersion("1.8.10", () => ({}));
    await expect(open(old.url, { org: "o" }).store.prepare()).rejects.toMatchObject(
      failure(/InfluxDB 1\.x.*leave store\.org out/),
    );
  });

  it("a server that does not give a point back at its time is not ready", async () => {
    const { url } = await answerVersion("v2.7.12", () => ({}));
    await expect(open(url, { org: "o" }).store.prepare()).rejects.toMatchObject(failure(/does not come back by InfluxQL/));
    const blind = await answerVersion("v2.7.12", () => ({ error: "database not found: fleetmark" }));
    const message = /bucket "fleetmark" is there, and InfluxQL does not find it.*permission to read/;
    await expect(open(blind.url, { org: "o" }).store.prepare()).rejects.toMatchObject(failure(message));
  });

  it("3.x takes its token without an organisation", async () => {
    const { url, asked } = await answer((_, response) => response.writeHead(204).end());
    await open(url, { token: "apiv3_x" }).store.write([batch()], startUs);
    expect(asked[0].token).toBe("Token apiv3_x");
  });

  it("blocks are compressed when they go far, and not nearby", async () => {
    const encodings: (string | undefined)[] = [];
    const bodies: string[] = [];
    const { url } = await answer((request, response) => {
      encodings.push(request.headers["content-encoding"]);
      response.writeHead(204).end();
    });
    const points = Array.from({ length: 100 }, (_, i) => cpu(i, i));
    for (const gzip of [true, false, undefined]) {
      const target = { url, database: "d", org: "", token: "", timeoutMs: 5000, gzip };
      const store = openInfluxStore(target, async (line) => void bodies.push(line));
      await store.write([buildBatch(1, points)], startUs);
      await store.close();
    }
    expect(encodings).toEqual(["gzip", undefined, undefined]);
    expect(bodies).toEqual([]);
  });
});
