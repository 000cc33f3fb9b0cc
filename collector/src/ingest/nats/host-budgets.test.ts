import { expect, it } from "vitest";
import { chargeHost, createHostBudgets, forgetPaid } from "./host-budgets.js";

it("asks one host to wait that sent too much, and no other", () => {
  const budgets = createHostBudgets(100);
  expect(chargeHost(budgets, "a", 1000, 0)).toBe(0);
  expect([chargeHost(budgets, "a", 100, 0), chargeHost(budgets, "a", 100, 0)]).toEqual([1000, 2000]);
  expect(chargeHost(budgets, "b", 1000, 0)).toBe(0);
});

it("forgets a host once it owes nothing", () => {
  const budgets = createHostBudgets(100);
  chargeHost(budgets, "a", 1000, 0);
  chargeHost(budgets, "b", 500, 0);
  forgetPaid(budgets, 6000);
  expect([...budgets.byHost.keys()]).toEqual(["a"]);
});
