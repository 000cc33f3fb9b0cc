import { defineConfig } from "vitest/config";
import { SummaryReporter } from "./test/summary-reporter.js";

const built = ["**/node_modules/**", "**/dist/**"];
const architecture = "test/architecture/**/*.test.ts";

export default defineConfig({
  test: {
    pool: "forks",
    reporters: ["default", new SummaryReporter()],
    projects: [
      {
        extends: true,
        test: {
          // One package each, in one process or nearly: `make unit`.
          name: "unit",
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
          include: ["{shared,bench,agent,collector,cli,deploy}/**/*.test.ts", architecture],
          exclude: built,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          // Several processes and real servers, which have the machine to themselves.
          name: "system",
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          include: ["test/**/*.test.ts"],
          exclude: [...built, architecture],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
