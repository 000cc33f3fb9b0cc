import { errorMessage } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { matchGlob } from "@fleetmark/shared/model/glob";
import { z } from "zod";
import { bearToken } from "../platform/secret.js";

/**
 * Which alerts fire at the moment: the collector's own, and where an Alertmanager is named what that one tells by its
 * API v2; Grafana's own answers it as well.
 */

/** Where alerts are asked for. */
export interface AlertsConfig {
  /** What `/api/v2/alerts` follows on; undefined where there is none. */
  readonly alertmanager?: string | undefined;
  readonly token_file?: string | undefined;
}

export interface FiringAlerts {
  /**
   * Why whoever must not go on beside alerts of these names has to wait, in words; undefined when nothing keeps it. The
   * first to ask learns it a moment later.
   * @param names globs of alerts' names
   */
  findReason(names: readonly string[]): string | undefined;
}

/** What was found the last time. */
type Found =
  | { readonly kind: "names"; readonly names: readonly string[] }
  | { readonly kind: "failure"; readonly reason: string };

/** Milliseconds after which alerts are asked for again, while somebody wants to know. */
const askEveryMs = 5000;
/** Milliseconds for which what was found holds: a question that is under way must not be answered by the former one. */
const freshForMs = 15_000;
/** Milliseconds. */
const patienceMs = 5000;
/** Bytes of an answer: of ten thousand alerts. */
const longestAnswer = 32 * 2 ** 20;

/** Of the API's answer, what is read: postableAlert's labels, in Alertmanager's api/v2/openapi.yaml. */
const alertsAnswer = z.array(z.object({ labels: z.record(z.string(), z.string()) }));

async function readText(answer: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of answer.body ?? []) {
    text += decoder.decode(part, { stream: true });
    if (text.length > longestAnswer) throw new Error(`it answered more than ${longestAnswer} characters`);
  }
  return text;
}

async function readNames({ alertmanager, token_file }: AlertsConfig): Promise<string[]> {
  const headers = await bearToken(token_file);
  const url = `${alertmanager?.replace(/\/+$/, "")}/api/v2/alerts?active=true&silenced=false&inhibited=false`;
  const answer = await fetch(url, { headers, redirect: "error", signal: AbortSignal.timeout(patienceMs) });
  const text = await readText(answer);
  if (!answer.ok) throw new Error(`it answered ${answer.status}: ${text.slice(0, 200)}`);
  // A storm has thousands of few names.
  return [...new Set(alertsAnswer.parse(JSON.parse(text)).map(({ labels }) => labels.alertname ?? ""))];
}

/**
 * Makes what asks for alerts only while somebody wants to know of them.
 * @param readOwn names of the collector's own that fire; undefined while that is not known
 */
export function createFiringAlerts(
  config: AlertsConfig,
  logger: Logger,
  readOwn: () => readonly string[] | undefined,
  nowMs = () => performance.now(),
): FiringAlerts {
  let found: Found | undefined;
  let readMs = Number.NEGATIVE_INFINITY;
  let isReading = false;
  const read = async (): Promise<void> => {
    isReading = true;
    try {
      found = { kind: "names", names: await readNames(config) };
    } catch (thrown) {
      const reason = errorMessage(thrown).slice(0, 300);
      if (found?.kind !== "failure") logger.warn({ event: "alerts_not_read", reason }, "which alerts fire can't be read");
      found = { kind: "failure", reason };
    } finally {
      readMs = nowMs();
      isReading = false;
    }
  };
  return {
    findReason: (globs) => {
      const findFiring = (names: readonly string[]): string | undefined => {
        const name = names.find((each) => globs.some((glob) => matchGlob(glob, each)));
        return name === undefined ? undefined : `the alert ${name} fires`;
      };
      const own = readOwn();
      if (own === undefined) return "it is not known yet which alerts fire";
      const reason = findFiring(own);
      if (reason !== undefined || config.alertmanager === undefined) return reason;
      if (!isReading && nowMs() - readMs >= askEveryMs) void read();
      if (found === undefined || nowMs() - readMs >= freshForMs) return "it is not known yet which alerts fire";
      // What can't be told must not be taken for silence.
      if (found.kind === "failure") return `which alerts fire can't be read: ${found.reason}`;
      return findFiring(found.names);
    },
  };
}
