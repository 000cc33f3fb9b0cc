import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { askInTurn, createReadBudget, followUnread } from "./read-budget.js";

const limits = { running: 2, waiting: 3, patience: 50, unread: 100 };

/** Questions that are answered when they are told to be. */
function openQuestions() {
  const budget = createReadBudget(limits);
  const begun: number[] = [];
  const answers: (() => void)[] = [];
  const ask = (i: number): Promise<number> =>
    askInTurn(budget, async () => {
      begun.push(i);
      await new Promise<void>((resolve) => answers.push(resolve));
      return i;
    });
  return { budget, begun, answers, ask };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("questions", () => {
  it("take turns, the longest waiting first, and are refused where too many wait", async () => {
    const { begun, answers, ask } = openQuestions();
    const asked = [1, 2, 3, 4, 5].map(ask);
    await expect(ask(6)).rejects.toMatchObject({ code: "READS_TOO_MANY" });
    await settle();
    expect(begun).toEqual([1, 2]);
    for (let i = 0; i < 5; i++) {
      answers[i]();
      await asked[i];
      await settle();
    }
    expect(begun).toEqual([1, 2, 3, 4, 5]);
  });

  it("that wait too long are refused, and hold no place", async () => {
    const { budget, answers, ask } = openQuestions();
    const first = [ask(1), ask(2)];
    await expect(ask(3)).rejects.toMatchObject({ code: "READS_TOO_MANY", message: expect.stringContaining("0.05 s") });
    for (const answer of answers) answer();
    await Promise.all(first);
    expect([budget.running, budget.waiting.length]).toEqual([0, 0]);
  });

  it("give their turn back where they fail", async () => {
    const budget = createReadBudget(limits);
    for (let i = 0; i < 5; i++) await expect(askInTurn(budget, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(budget.running).toBe(0);
  });

  it("are refused while readers leave their answers", async () => {
    const budget = createReadBudget(limits);
    const response = new EventEmitter();
    const count = followUnread(budget, response);
    for (const bytes of [100, 1]) count(bytes);
    await expect(askInTurn(budget, async () => 1)).rejects.toMatchObject({ code: "READS_TOO_MANY" });
    response.emit("close");
    count(101);
    expect(await askInTurn(budget, async () => 1)).toBe(1);
  });
});
