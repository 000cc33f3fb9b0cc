import { z } from "zod";
import { tlsFilesSchema } from "../config/tls.js";
import { type Address, isLoopback } from "../model/units.js";

/** A NATS server of a configuration, parsed. */
export interface NatsServer {
  readonly address: Address;
  /** Whether its URL demands TLS. */
  readonly tls: boolean;
}

const serverForm = /^(?:(nats|tls):\/\/)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?\/?$/;
const defaultPort = 4222;

/** Parses `nats://host:4222`, `tls://host`, `host:4222`, `[::1]`. Returns undefined for anything else. */
export function parseNatsServer(text: string): NatsServer | undefined {
  const match = serverForm.exec(text);
  const port = Number(match?.[4] ?? defaultPort);
  if (match === null || port > 65_535) return undefined;
  return { address: { host: match[2] ?? match[3], port }, tls: match[1] === "tls" };
}

// The message must not repeat the text, which may hold a password.
const serverSchema = z
  .string()
  .refine((text) => !text.includes("@"), {
    abort: true,
    message: "holds credentials, which would show in process lists and logs; use nats.user, password_file or token_file",
  })
  .refine((text) => parseNatsServer(text) !== undefined, {
    message: "must be a server such as nats://127.0.0.1:4222 or tls://nats.example:4222",
  });

const fileSchema = z.string().min(1, "must name a file");

/** The keys that agents and collectors share under `nats`. */
export const natsFields = {
  servers: z
    .array(serverSchema)
    .default([])
    .describe("NATS servers, such as tls://nats.example:4222; any of a cluster will do, several are tried in turn"),
  tls: tlsFilesSchema,
  user: z.string().describe("user name, with password_file; empty: none").default(""),
  password_file: fileSchema.describe("file that holds the user's password").optional(),
  token_file: fileSchema.describe("file that holds a token, instead of a user").optional(),
  nkey_file: fileSchema.describe("file that holds the seed of an NKey, instead of a user").optional(),
  creds_file: fileSchema.describe("credentials file (JWT and NKey seed), instead of a user").optional(),
  insecure: z.stringbool().or(z.boolean()).describe("allow a connection without TLS to another machine").prefault(false),
};

const natsShape = z.strictObject(natsFields);

export type NatsConfig = z.infer<typeof natsShape>;

/** Whether every connection must be encrypted: a server's URL or a TLS file asks for it. */
export function wantsTls({ servers, tls }: Pick<NatsConfig, "servers" | "tls">): boolean {
  return Object.values(tls).some((file) => file !== undefined) || servers.some((text) => parseNatsServer(text)?.tls === true);
}

/** Checks what no single key of `nats` can tell. */
export function checkNatsConfig(config: NatsConfig, context: z.core.$RefinementCtx): void {
  const complain = (key: keyof NatsConfig, message: string): void => {
    context.addIssue({ code: "custom", path: [key], message });
  };
  const { user, password_file, token_file, nkey_file, creds_file, insecure, servers } = config;
  if (user !== "" && password_file === undefined) complain("password_file", "is needed with user");
  if (password_file !== undefined && user === "") complain("user", "is needed with password_file");
  const ways = Object.entries({ user, token_file, nkey_file, creds_file }).filter(([, value]) => (value ?? "") !== "");
  if (ways.length > 1) {
    complain(ways[1][0] as keyof NatsConfig, `says in another way than ${ways[0][0]} who connects; keep one of them`);
  }
  const addresses = servers.flatMap((text) => parseNatsServer(text)?.address ?? []);
  if (insecure || wantsTls(config) || addresses.every(isLoopback)) return;
  complain("servers", "would be reached without TLS on another machine: use tls://, or set nats.insecure");
}
