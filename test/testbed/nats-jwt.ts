import { createHash } from "node:crypto";
import { nkeys } from "@nats-io/transport-node";

/**
 * What a server in operator mode and a user of it need, made without a tool: JWTs as github.com/nats-io/jwt describes
 * them, version 2.
 */
export interface JwtBed {
  /** Lines for the server's configuration. */
  readonly config: string;
  /** A credentials file. */
  readonly creds: string;
}

type Pair = ReturnType<typeof nkeys.createUser>;

const encode = (value: object | Uint8Array): string => {
  return Buffer.from(value instanceof Uint8Array ? value : JSON.stringify(value)).toString("base64url");
};

function sign(name: string, subject: Pair, issuer: Pair, nats: object): string {
  const claims = { iat: Math.floor(Date.now() / 1000), iss: issuer.getPublicKey(), name, sub: subject.getPublicKey(), nats };
  const jti = createHash("sha256").update(JSON.stringify(claims)).digest("hex");
  const text = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode({ ...claims, jti })}`;
  return `${text}.${encode(issuer.sign(Buffer.from(text)))}`;
}

const unlimited = { subs: -1, data: -1, payload: -1 };
const accountLimits = {
  ...unlimited,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
  mem_storage: -1,
  disk_storage: -1,
  streams: -1,
  consumer: -1,
};
const noStorage = { ...accountLimits, mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 };

export function makeJwtBed(): JwtBed {
  const [operator, system, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const signAccount = (name: string, pair: Pair, limits: object): string =>
    sign(name, pair, operator, { limits, default_permissions: { pub: {}, sub: {} }, type: "account", version: 2 });
  const operatorJwt = sign("operator", operator, operator, { type: "operator", version: 2 });
  const userJwt = sign("user", user, account, { ...unlimited, pub: {}, sub: {}, type: "user", version: 2 });
  const config = [
    `operator: ${operatorJwt}`,
    `system_account: ${system.getPublicKey()}`,
    "resolver: MEMORY",
    "resolver_preload: {",
    `  ${system.getPublicKey()}: ${signAccount("SYS", system, noStorage)}`,
    `  ${account.getPublicKey()}: ${signAccount("FLEET", account, accountLimits)}`,
    "}",
  ].join("\n");
  const seed = Buffer.from(user.getSeed()).toString();
  const creds = [
    "-----BEGIN NATS USER JWT-----",
    userJwt,
    "------END NATS USER JWT------",
    "",
    "-----BEGIN USER NKEY SEED-----",
    seed,
    "------END USER NKEY SEED------",
    "",
  ].join("\n");
  return { config, creds };
}
