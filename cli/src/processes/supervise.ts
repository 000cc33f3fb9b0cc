import { FleetmarkError } from "@fleetmark/shared/errors";
import { once, type Running } from "@fleetmark/shared/lifecycle";
import { createPause, type Pause, waitAtMost } from "@fleetmark/shared/waiting";
import { type Child, type StartChild, startChild } from "./child.js";

/**
 * A daemon kept running:
 *
 *   start ──► serves ──► ends unasked ──► wait, twice as long each time, to 30 s ──► start …
 *                 │                               │
 *                 └─ for a minute: forgiven       └─ the eighth time in a row: given up
 *
 * One whose configuration is refused is given up at once: nothing will be different the next time.
 */

/** Seconds. */
const restartWaits = { first: 0.5, longest: 30, forgivenAfter: 60 } as const;
const mostFailures = 8;
const stopPatienceS = 5;

/** Returns the seconds before a daemon is started again that has failed so many times in a row. */
export function chooseRestartWait(failures: number): number {
  return Math.min(restartWaits.longest, restartWaits.first * 2 ** (failures - 1));
}

/** A daemon that runs as a child process, and is started again when it dies. */
export interface Supervised<Facts> extends Omit<Running, "stop"> {
  /** What the daemon said when it first served. */
  readonly facts: Facts;
  readonly pid: () => number | undefined;
  /** How often it was started again. */
  readonly restarts: () => number;
  /** Rejects when the daemon can't be kept running. */
  readonly lost: Promise<never>;
  /** Stops the daemon and returns what it said last. */
  stop(): Promise<object>;
}

export interface SuperviseOptions<Facts> {
  readonly name: string;
  /** Gives the arguments: of the first start without facts, of later ones with what the first had said. */
  chooseArgs(facts?: Facts): readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Told how the daemon ended each time, and in how many seconds it is started again. */
  onRestart(description: string, waitS: number): void;
  /** Ends a start that is under way. */
  readonly signal: AbortSignal;
  readonly start?: StartChild;
}

interface Supervision<Facts> {
  readonly options: SuperviseOptions<Facts>;
  readonly start: StartChild;
  readonly pause: Pause;
  child: Child<Facts>;
  restarts: number;
  isStopping: boolean;
}

/** Waits until a child has ended; returns how, and whether it had served for long. */
async function awaitEnd<Facts>({ child }: Supervision<Facts>): Promise<{ description: string; lasted: boolean }> {
  const startedMs = performance.now();
  const refusal = await child.ready.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const { description } = await child.ended;
  if (refusal instanceof FleetmarkError && refusal.exitCode === 2) throw refusal;
  const reason = refusal instanceof FleetmarkError && refusal.code !== "INTERNAL" ? refusal.message : description;
  return { description: reason, lasted: performance.now() - startedMs >= restartWaits.forgivenAfter * 1000 };
}

async function keepRunning<Facts>(supervision: Supervision<Facts>, facts: Facts): Promise<never> {
  const { options, start, pause } = supervision;
  let failures = 0;
  for (;;) {
    const { description, lasted } = await awaitEnd(supervision);
    if (supervision.isStopping) return new Promise<never>(() => undefined);
    failures = lasted ? 1 : failures + 1;
    if (failures >= mostFailures)
      throw new FleetmarkError("DAEMON_LOST", `the ${options.name} ended ${failures} times in a row (${description})`);
    const waitS = chooseRestartWait(failures);
    options.onRestart(description, waitS);
    await pause.wait(waitS);
    if (supervision.isStopping) return new Promise<never>(() => undefined);
    supervision.restarts++;
    supervision.child = start<Facts>(options.chooseArgs(facts), options.environment);
  }
}

async function stopChild<Facts>(supervision: Supervision<Facts>): Promise<object> {
  supervision.isStopping = true;
  supervision.pause.end();
  const { child } = supervision;
  child.askToStop();
  await waitAtMost(child.ended, stopPatienceS);
  child.kill();
  return (await child.ended).facts;
}

/**
 * Starts `fleetmark ARGS…` as a supervised child and waits until it serves. It does not outlive this process, however
 * that ends.
 * @throws FleetmarkError what the daemon gave as its reason for not starting
 */
export async function supervise<Facts>(options: SuperviseOptions<Facts>): Promise<Supervised<Facts>> {
  const start = options.start ?? startChild;
  const child = start<Facts>(options.chooseArgs(), options.environment);
  const supervision: Supervision<Facts> = { options, start, pause: createPause(), child, restarts: 0, isStopping: false };
  process.on("exit", () => supervision.child.kill());
  const giveUp = (): void => child.kill();
  options.signal.addEventListener("abort", giveUp);
  const facts = await child.ready;
  options.signal.removeEventListener("abort", giveUp);
  const lost = keepRunning(supervision, facts);
  lost.catch(() => undefined);
  return {
    facts,
    pid: () => supervision.child.pid,
    restarts: () => supervision.restarts,
    lost,
    stop: once(() => stopChild(supervision)),
  };
}
