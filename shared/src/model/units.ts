import { z } from "zod";

const durationUnits: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400 };
const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Parses `10s`, `1.5h`, `1h30m` to seconds. Returns undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) seconds += Number(amount) * durationUnits[unit];
  return seconds;
}

/** Parses `64MiB`, `1.5 GB`, `4096` to bytes. Returns undefined for anything else. */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  if (match === null || !(match[2] in byteUnits)) return undefined;
  return Math.round(Number(match[1]) * byteUnits[match[2]]);
}

/** Returns seconds as a person reads them: `850 ms`, `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1e3)} ms`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A duration in a configuration: `10s`, `5m`, `1h30m`, or a number of seconds. Seconds after parsing. */
export const durationSchema = z
  .union([z.string(), z.number().nonnegative()])
  .transform((value, context) => {
    const text = String(value);
    const seconds = typeof value === "number" || /^\d+(\.\d+)?$/.test(text) ? Number(text) : parseDuration(text);
    if (seconds === undefined) {
      context.addIssue({ code: "custom", message: `${JSON.stringify(value)} is not a duration such as 10s, 5m or 1h30m` });
      return z.NEVER;
    }
    return seconds;
  })
  .meta({ format: "duration" });

/** A size in a configuration: `64MiB`, `1GB`, or a number of bytes. Bytes after parsing. */
export const byteSizeSchema = z
  .union([z.string(), z.number().nonnegative()])
  .transform((value, context) => {
    const bytes = parseByteSize(String(value));
    if (bytes === undefined) {
      context.addIssue({ code: "custom", message: `${JSON.stringify(value)} is not a size such as 64MiB, 1GB or 4096` });
      return z.NEVER;
    }
    return bytes;
  })
  .meta({ format: "size" });

/** Where a server listens or is reached. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Parses `127.0.0.1:7420`, `[::1]:7420`, `collector.example:7420`. Returns undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65_535) return undefined;
  return { host: match[1] ?? match[2], port: Number(match[3]) };
}

/** Returns an address as `host:port`, an IPv6 host in brackets. */
export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Whether an address can be reached from this machine alone. */
export function isLoopback(address: Address): boolean {
  return address.host === "localhost" || address.host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(address.host);
}

/** Whether a URL leads to this machine and no further. */
export function isLoopbackUrl(url: string): boolean {
  const { hostname } = new URL(url);
  return isLoopback({ host: hostname.replace(/^\[|\]$/g, ""), port: 0 });
}

/** `host:port` in a configuration. An Address after parsing. */
export const addressSchema = z
  .string()
  .transform((value, context) => {
    const address = parseAddress(value);
    if (address === undefined) {
      context.addIssue({ code: "custom", message: `${JSON.stringify(value)} is not an address such as 127.0.0.1:7420` });
      return z.NEVER;
    }
    return address;
  })
  .meta({ format: "address" });
