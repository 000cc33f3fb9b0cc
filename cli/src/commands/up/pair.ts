import { undoAll } from "@fleetmark/shared/lifecycle";
import { type Supervised, supervise } from "../../processes/supervise.js";
import type { ChildrenPlan, CollectorFacts } from "./children.js";

/** The two daemons of `up`, both running. */
export interface Pair {
  readonly collector: Supervised<CollectorFacts>;
  readonly agent: Supervised<{ readonly host: string }>;
  /** Rejects when one of them can't be kept running. */
  readonly lost: Promise<never>;
  /** Stops both; returns how many samples wait in the agent's spool. */
  stop(): Promise<number>;
}

export interface PairOptions {
  readonly plan: ChildrenPlan;
  readonly suite: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Told in words of each end that nobody asked for. */
  onRestart(message: string): void;
  /** Ends a start that is under way. */
  readonly signal: AbortSignal;
}

/**
 * Starts the collector, then the agent that attaches to it. An agent that is started again does not run the suite
 * again: what it had measured is stored, and a suite that ends its agent would end the next one too.
 * @throws FleetmarkError what either gave as its reason for not starting
 */
export async function startPair({ plan, suite, environment, onRestart, signal }: PairOptions): Promise<Pair> {
  const tellRestart = (name: string, more: string) => (description: string, waitS: number) =>
    onRestart(`the ${name} ended (${description}); starting it again in ${waitS} s${more}`);
  const collector: Pair["collector"] = await supervise({
    name: "collector",
    chooseArgs: plan.chooseCollectorArgs,
    environment,
    onRestart: tellRestart("collector", ""),
    signal,
  });
  try {
    const agent: Pair["agent"] = await supervise({
      name: "agent",
      chooseArgs: (facts) => plan.chooseAgentArgs(collector.facts, facts === undefined ? suite : "none"),
      environment,
      onRestart: tellRestart("agent", suite === "none" ? "" : ", without the suite"),
      signal,
    });
    const stop = async (): Promise<number> => {
      const left: { unacked?: number } = await agent.stop();
      await collector.stop();
      return left.unacked ?? 0;
    };
    return { collector, agent, lost: Promise.race([collector.lost, agent.lost]), stop };
  } catch (thrown) {
    await undoAll([collector.stop]);
    throw thrown;
  }
}
