import { describe, expect, it } from "vitest";
import { findName } from "./name-keeper.js";

const identity = "1".repeat(32);
const id = { host: "between", epochUs: 1, sequence: 1 };

function find(held: "by nobody" | "by it" | "by another", speaksFor?: (host: string) => boolean, shown = identity): string {
  const keeper = { isHolder: () => held === "by it", isFree: () => held === "by nobody" };
  return findName(keeper, { id, identity: shown }, { host: "new", identity, ...(speaksFor && { speaksFor }) });
}

describe("the host of a batch that an agent measured under another name", () => {
  it("is that name where the agent held it", () => expect(find("by it")).toBe("between"));
  it("is that name where nobody ever held it and the link lets the agent speak for it", () =>
    expect(find("by nobody", (host) => host === "between")).toBe("between"));
  it("is the agent's present name where the link confines it", () => {
    expect(find("by nobody", (host) => host === "new")).toBe("new");
    expect(find("by nobody")).toBe("new");
  });
  it("is the agent's present name where another holds the former", () => expect(find("by another", () => true)).toBe("new"));
  it("is nobody's where another agent measured it", () =>
    expect(() => find("by nobody", () => true, "2".repeat(32))).toThrow("a batch of host between from new"));
});
