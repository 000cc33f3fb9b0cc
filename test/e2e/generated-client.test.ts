import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import { type AxiosError, OpenAPIClientAxios } from "openapi-client-axios";
import { expect, it, onTestFinished } from "vitest";
import { makeFolder, startDaemon } from "../testbed/program.js";

/** Calls by the operations' ids, as a client has them that is made from the description alone. */
type Operations = Readonly<
  Record<
    string,
    (parameters: object | null, body?: object) => Promise<{ status: number; data: Record<string, unknown> & unknown[] }>
  >
>;

it("a client made from the API's own description reads, starts and stops", async () => {
  const folder = makeFolder();
  onTestFinished(folder.remove);
  const anyPort = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
  const collector = await startDaemon<{ grpc: Address; http: Address }>(["collector", "--data-dir", folder.path, ...anyPort]);
  const agentArgs = ["agent", "--host", "gpu-1", "--collector-address", formatAddress(collector.facts.grpc)];
  const agent = await startDaemon([...agentArgs, "--spool-dir", join(folder.path, "spool"), "--commands-suites", "none"]);
  onTestFinished(async () => {
    for (const program of [agent, collector]) {
      program.process.kill("SIGTERM");
      await program.ended;
    }
  });
  const base = `http://${formatAddress(collector.facts.http)}`;
  const definition = `${base}/api/v1/openapi.json`;
  const headers = { authorization: `Bearer ${readFileSync(join(folder.path, "owner.token"), "utf8").trim()}` };
  const withServer = { url: base };
  const api = new OpenAPIClientAxios({ definition, withServer, axiosConfigDefaults: { headers } });
  const client = (await api.init()) as unknown as Operations;

  expect((await client.getHosts(null)).data).toMatchObject([{ host: "gpu-1", attached: true }]);
  const level = { host: "gpu-1", command: "set_log_level", arguments: { level: "debug" } };
  expect((await client.postCommands(null, level)).data).toMatchObject({ done: true, result: { level: "debug" } });
  const { data: campaign } = await client.postCampaigns(null, { suite: "quick", id: "by-client" });
  expect(campaign).toMatchObject({ id: "by-client", total: 1 });
  expect((await client.getCampaignsState({ id: "by-client" })).data).toMatchObject({ id: "by-client" });
  expect((await client.postCampaignsCancel(null, { id: "by-client" })).status).toBe(200);
  expect((await client.getCampaigns(null)).data).toMatchObject([{ id: "by-client" }]);
  const refused = await client.postCampaigns(null, { suite: "" }).catch((thrown: AxiosError) => thrown.response?.data);
  expect(refused).toMatchObject({ code: "REQUEST_INVALID" });
}, 60_000);
