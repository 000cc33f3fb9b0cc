import { defineConfig } from "vitest/config";
import { SummaryReporter } from "./test/summary-reporter.js";

export default defineConfig({
  test: {
    include: ["{shared,bench,agent,collector,cli,deploy,test}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    reporters: ["default", new SummaryReporter()],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
