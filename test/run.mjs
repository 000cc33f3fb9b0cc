import { runnerImport } from "vite";

/**
 * Runs a TypeScript program of this folder: `node test/run.mjs test/grafana/check.ts`. Its arguments follow its path.
 */
await runnerImport(new URL(process.argv[2], `file://${process.cwd()}/`).pathname);
