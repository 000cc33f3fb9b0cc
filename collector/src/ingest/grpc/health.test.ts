import { once } from "node:events";
import { Client, credentials, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { createHealth, healthService } from "./health.js";

async function serve(isServing: () => boolean): Promise<Client> {
  const server = new Server();
  server.addService(healthService, createHealth(isServing));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
  });
  return client;
}

/** What the standard's messages are on the wire, byte by byte. */
const encodeRequest = (service: string): Buffer => Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
const answers = { serving: "0801", notServing: "0802", serviceUnknown: "0803" };

const passBytes = (bytes: Buffer): Buffer => bytes;

/** Resolves with the answer's bytes, or the code of the status. */
function check(client: Client, request: Buffer): Promise<string | number> {
  return new Promise((resolve) => {
    client.makeUnaryRequest("/grpc.health.v1.Health/Check", passBytes, passBytes, request, (error: ServiceError | null, answer) =>
      resolve(error === null ? (answer as Buffer).toString("hex") : error.code),
    );
  });
}

it("answers whether the collector serves, for the server, for its service, and for no other", async () => {
  let serving = true;
  const client = await serve(() => serving);
  expect(await check(client, Buffer.alloc(0))).toBe(answers.serving);
  expect(await check(client, encodeRequest("fleetmark.v1.Fleet"))).toBe(answers.serving);
  expect(await check(client, encodeRequest("other"))).toBe(status.NOT_FOUND);
  serving = false;
  expect(await check(client, Buffer.alloc(0))).toBe(answers.notServing);
});

it("tells who watches at once, and whenever it changes", async () => {
  let serving = false;
  const client = await serve(() => serving);
  const watch = (service: string) => {
    return client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", passBytes, passBytes, encodeRequest(service));
  };
  const seen: string[] = [];
  const call = watch("");
  call.on("error", () => {});
  await new Promise<void>((resolve) => {
    call.on("data", (answer: Buffer) => {
      seen.push(answer.toString("hex"));
      if (seen.length === 1) serving = true;
      if (seen.length === 2) serving = false;
      if (seen.length === 3) resolve();
    });
  });
  call.cancel();
  expect(seen).toEqual([answers.notServing, answers.serving, answers.notServing]);
  const unknown = watch("other");
  unknown.on("error", () => {});
  const [answer] = (await once(unknown, "data")) as [Buffer];
  expect(answer.toString("hex")).toBe(answers.serviceUnknown);
  unknown.cancel();
});

it("refuses a request that does not decode", async () => {
  const client = await serve(() => true);
  expect(await check(client, Buffer.from([0x0a, 0x7f]))).toBe(status.INTERNAL);
});
