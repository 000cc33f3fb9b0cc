import { type Address, formatAddress } from "@fleetmark/shared/config/config";

/** What a collector's HTTP API says, as tests ask it. */

export async function askHttp<T>(http: Address, path: string): Promise<T> {
  return (await (await fetch(`http://${formatAddress(http)}${path}`)).json()) as T;
}

/**
 * Returns how many samples an oracle has in the store; one that is there twice counts twice where the store keeps both.
 */
export async function countSamples(http: Address): Promise<number> {
  const path = "/api/v1/series?measurement=oracle&field=number&aggregate=count&bucket=1d&from=-1d";
  const { series } = await askHttp<{ series: { points: [number, number][] }[] }>(http, path);
  return series.flatMap(({ points }) => points.map(([, count]) => count)).reduce((sum, count) => sum + count, 0);
}

/** Returns the value of one line of /metrics, 0 where there is none. */
export async function readMetric(http: Address, name: string): Promise<number> {
  const text = await (await fetch(`http://${formatAddress(http)}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}
