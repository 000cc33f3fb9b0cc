import { type PolicyName, policies } from "./policies.js";

/** An InfluxDB server and where on it the data lies. */
export interface InfluxTarget {
  /** Such as `http://127.0.0.1:8086`. */
  readonly url: string;
  /**
   * 1.x: the database; 2.x, 3.x and Cloud: the bucket, which a DBRP mapping of the same name makes a database for
   * reads.
   */
  readonly database: string;
  /** 2.x, 3.x and Cloud; empty for 1.x. */
  readonly org: string;
  /** 2.x, 3.x and Cloud: the API token; 1.x: `user:password`, or empty where none is asked for. */
  readonly token: string;
  /** Reads the token anew for each request, where it may have been rotated since. */
  readonly renewToken?: () => string;
  readonly timeoutMs: number;
  /**
   * Whether blocks are compressed; by default on the way to another machine alone, for nearby the time to compress is
   * lost.
   */
  readonly gzip?: boolean;
}

/**
 * Names the bucket (2.x) of a policy. A slash in it would make a second default mapping of the database, which
 * InfluxDB 2.x trips over.
 */
export function nameBucket(database: string, policy?: PolicyName): string {
  return policy === undefined ? database : `${database}_${policies[policy]}`;
}

function readToken({ token, renewToken }: InfluxTarget): string {
  return renewToken?.() ?? token;
}

/**
 * 1.x knows users and passwords (by a header that all of its versions read), its successors tokens, which hold no
 * colon.
 */
export function describeCaller(target: InfluxTarget): Record<string, string> {
  const token = readToken(target);
  if (token === "") return {};
  return {
    authorization: target.org === "" && token.includes(":") ? `Basic ${Buffer.from(token).toString("base64")}` : `Token ${token}`,
  };
}

/** The API of 3.x takes its tokens as bearers. */
export function describeApiCaller(target: InfluxTarget, path: string): Record<string, string> {
  const token = readToken(target);
  if (token === "") return {};
  return { authorization: `${path.startsWith("/api/v3/") ? "Bearer" : "Token"} ${token}` };
}

export function buildUrl(target: InfluxTarget, path: string, parameters: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(parameters).toString();
  return `${target.url.replace(/\/+$/, "")}${path}${query === "" ? "" : `?${query}`}`;
}
