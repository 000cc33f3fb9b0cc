import { describe, expect, it } from "vitest";
import { formatLogLine } from "./logger.js";

const line = (more: object): string =>
  JSON.stringify({ level: "warn", time: "2026-01-31T12:00:05.123Z", service: "agent", host: "h1", ...more });

describe("a line of the log as text", () => {
  it("tells when, how bad, what, and the rest as key=value", () => {
    const shown = formatLogLine(line({ event: "link_down", code: "TLS_REFUSED", retry_s: 2, msg: "no answer" }), false);
    expect(shown).toBe("12:00:05  warn   agent  link_down  no answer.  code=TLS_REFUSED  retry_s=2\n");
  });

  it("paints the level where there are colours", () => {
    expect(formatLogLine(line({ event: "link_down" }), true)).toBe("12:00:05  \u001b[33mwarn \u001b[0m  agent  link_down\n");
  });

  it("shows no control character of what came from elsewhere", () => {
    const shown = formatLogLine(line({ event: "batch_rejected", agent: "a\u001b[2Jb", msg: "line\nbreak\u009b" }), false);
    expect(shown.trimEnd()).not.toMatch(/\p{Cc}/u);
    expect(shown).toContain("line\\nbreak");
  });
});
