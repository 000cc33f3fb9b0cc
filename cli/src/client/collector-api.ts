import { hostsAnswer, kpisAnswer, resultsAnswer, runsAnswer } from "@fleetmark/shared/api/answers";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { type Address, formatAddress } from "@fleetmark/shared/model/units";
import type { z } from "zod";

const answers = { hosts: hostsAnswer, runs: runsAnswer, results: resultsAnswer, kpis: kpisAnswer };

/**
 * Asks a collector's HTTP API.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE when nothing answers, COLLECTOR_FAILED when the answer is not what the
 *   API promises
 */
export async function askCollector<N extends keyof typeof answers>(
  address: Address,
  what: N,
  query: Readonly<Record<string, string>> = {},
): Promise<z.infer<(typeof answers)[N]>> {
  const url = `http://${formatAddress(address)}/api/v1/${what}?${new URLSearchParams(query)}`;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    text = await response.text();
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause !== undefined ? errorMessage(cause.cause) : errorMessage(cause);
    throw new FleetmarkError("COLLECTOR_UNREACHABLE", `no collector answers at ${formatAddress(address)}: ${reason}`, { cause });
  }
  if (!response.ok) throw new FleetmarkError("COLLECTOR_FAILED", `${url} answered ${response.status}: ${text.slice(0, 300)}`);
  try {
    return answers[what].parse(JSON.parse(text)) as z.infer<(typeof answers)[N]>;
  } catch (cause) {
    const reason = errorMessage(cause).slice(0, 300);
    throw new FleetmarkError("COLLECTOR_FAILED", `${url} did not answer as a Fleetmark collector does: ${reason}`, { cause });
  }
}
