import { errorMessage, FleetmarkError } from "@fleetmark/shared/errors";
import type { Logger } from "@fleetmark/shared/log";
import { formatDuration } from "@fleetmark/shared/model/units";
import type { VerdictRecord } from "@fleetmark/shared/records/verdict";
import type { CommandOutcome, CommandRequest } from "../control/command.js";

/**
 * Whether a regression is there when its benchmark is measured again. Before anybody is told of it the host is asked
 * to, when it is free:
 *
 *   called slower ─► asked ─► measured again ─┬─ slower again ─► confirmed
 *                      │                      └─ as before ────► no regression any more, nobody is told
 *                      └─ can't be asked, refuses, is not free in time ─► told with that reason
 */
export interface Confirmations {
  /**
   * What is to be said of a regression, as its latest verdict has it: whether it was confirmed, or why not. Undefined
   * while that is waited for.
   */
  find(key: string, verdict: VerdictRecord, nowUs: number): string | undefined;
  /** The benchmark is as before: what was asked for it is forgotten. */
  forget(key: string): void;
  /** Asks the hosts of what was found since the last time, each once. */
  ask(nowUs: number): void;
}

export interface ConfirmationsOptions {
  /** Sends a command to a host; undefined where nobody wants results confirmed. */
  readonly send: ((host: string, request: CommandRequest) => Promise<CommandOutcome>) | undefined;
  /** When this collector began: what was called slower before is not asked for again. */
  readonly startedUs: number;
  /** Whether other collectors may ask a host that is not attached to this one. */
  readonly isShared: boolean;
  readonly logger: Logger;
}

/** How long a host may take to be free for it, seconds, and how long is waited for what comes of it. */
const patienceS = 1800;
const answerUs = (patienceS + 900) * 1e6;
/** Hosts that measure again at a time: where more became slower, there is hardly any doubt. */
const mostHosts = 10;
/** Benchmarks that a host measures again for one run. */
const mostBenchmarks = 20;

type Asked =
  | { readonly state: "new" | "asked"; readonly verdict: VerdictRecord; readonly sinceUs: number }
  | { readonly state: "decided"; readonly says: string };

/** A benchmark that became slower. */
interface Found {
  readonly key: string;
  readonly verdict: VerdictRecord;
}

/** What is said at once, without asking anybody; undefined where the host is to be asked. */
function decideAlone({ cause }: VerdictRecord): string | undefined {
  return cause === "class" ? "Other hosts of its class confirm it." : undefined;
}

/** What was asked, by benchmark. */
interface Asking {
  readonly options: ConfirmationsOptions;
  readonly known: Map<string, Asked>;
}

function decide({ known }: Asking, keys: readonly string[], says: string): string {
  for (const key of keys) known.set(key, { state: "decided", says });
  return says;
}

function findSaid(asking: Asking, key: string, verdict: VerdictRecord, nowUs: number): string | undefined {
  const { options, known } = asking;
  const asked = known.get(key);
  if (asked === undefined) {
    const alone = options.send === undefined || verdict.time_us < options.startedUs ? "" : decideAlone(verdict);
    if (alone !== undefined) return decide(asking, [key], alone);
    known.set(key, { state: "new", verdict, sinceUs: nowUs });
    return undefined;
  }
  if (asked.state === "decided") return asked.says;
  if (verdict.time_us > asked.verdict.time_us) return decide(asking, [key], "Measured again, it is slower again: confirmed.");
  if (Math.abs(nowUs - asked.sinceUs) <= answerUs) return undefined;
  return decide(asking, [key], `Not confirmed: it was not measured again within ${formatDuration(answerUs / 1e6)}.`);
}

/** Asks a host to measure again what became slower in one of its runs. */
async function askHost(asking: Asking, found: readonly Found[]): Promise<void> {
  const { send, isShared, logger } = asking.options;
  const keys = found.map(({ key }) => key);
  const [{ verdict }] = found;
  const { host, suite } = verdict;
  const benchmarks = found.slice(0, mostBenchmarks).map((each) => each.verdict.name);
  const request = { name: "start_run", arguments: { suite, benchmarks, patience_s: patienceS }, timeout: 120, by: "alerts" };
  try {
    const outcome = await send?.(host, request);
    if (outcome?.done === false) decide(asking, keys, `Not confirmed: ${outcome.message}.`);
    else {
      const fields = { agent: host, suite, benchmarks: benchmarks.length };
      logger.info({ event: "regression_measured_again", ...fields }, "a host measures again what was called slower");
    }
  } catch (thrown) {
    // Where several collectors share a store, another may have the host.
    if (isShared && thrown instanceof FleetmarkError && ["HOST_ABSENT", "HOST_UNKNOWN"].includes(thrown.code)) return;
    decide(asking, keys, `Not confirmed: ${errorMessage(thrown)}.`);
  }
}

/** What is new, by host and run. */
function groupNew({ known }: Asking): Found[][] {
  const groups = new Map<string, Found[]>();
  for (const [key, asked] of known) {
    if (asked.state !== "new") continue;
    const { verdict } = asked;
    const name = JSON.stringify([verdict.host, verdict.run]);
    groups.set(name, [...(groups.get(name) ?? []), { key, verdict }]);
  }
  return [...groups.values()];
}

function askAll(asking: Asking, nowUs: number): void {
  const { known } = asking;
  const groups = groupNew(asking);
  const busy = new Set([...known.values()].flatMap((asked) => (asked.state === "asked" ? [asked.verdict.host] : [])));
  for (const found of groups) {
    if (groups.length > mostHosts || busy.size >= mostHosts) {
      const keys = found.map(({ key }) => key);
      decide(asking, keys, `Not confirmed: ${groups.length + busy.size} hosts became slower at once, too many to ask.`);
      continue;
    }
    for (const { key, verdict } of found) known.set(key, { state: "asked", verdict, sinceUs: nowUs });
    busy.add(found[0].verdict.host);
    void askHost(asking, found);
  }
}

export function createConfirmations(options: ConfirmationsOptions): Confirmations {
  const asking: Asking = { options, known: new Map() };
  return {
    find: (key, verdict, nowUs) => findSaid(asking, key, verdict, nowUs),
    forget: (key) => void asking.known.delete(key),
    ask: (nowUs) => askAll(asking, nowUs),
  };
}
