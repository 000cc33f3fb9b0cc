import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import { resultSchema, runSchema } from "@fleetmark/shared/model/result";
import { z } from "zod";

const progressSchema = z.object({
  run: z.string(),
  suite: z.string(),
  completed: z.number(),
  total: z.number(),
  benchmark: z.string(),
  elapsed_s: z.number(),
  remaining_s: z.number(),
});
export type RunProgress = z.infer<typeof progressSchema>;

const readingSchema = z.object({
  kpi: z.string(),
  value: z.number().nullable(),
  unit: z.enum(["ms", "%", "MB", "s", "steps/s"]),
  low: z.number().nullable(),
  high: z.number().nullable(),
  target: z.number(),
  alert: z.number(),
  status: z.enum(["ok", "missed", "alert", "missing"]),
  name: z.string().nullable(),
  run: z.string().nullable(),
  time_us: z.number().nullable(),
});

const answers = {
  hosts: z.array(z.object({ host: z.string(), attached: z.boolean(), progress: progressSchema.nullable() })),
  runs: z.array(runSchema),
  results: z.array(resultSchema),
  kpis: z.array(z.object({ host: z.string(), kpis: z.array(readingSchema) })),
};

/**
 * Asks a collector's HTTP API.
 * @throws FleetmarkError COLLECTOR_UNREACHABLE when nothing answers, COLLECTOR_FAILED when the answer is not what the API promises
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
    throw new FleetmarkError(
      "COLLECTOR_FAILED",
      `${url} did not answer as a Fleetmark collector does: ${errorMessage(cause).slice(0, 300)}`,
      {
        cause,
      },
    );
  }
}
