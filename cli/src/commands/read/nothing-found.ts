import { escapeControls } from "../../output/width.js";

const filters = ["host", "suite", "category", "benchmark", "run"] as const;

/** Says that nothing is there, and by which flags it was looked for. */
export function tellNothingFound(what: string, options: { readonly [K in (typeof filters)[number]]?: string | undefined }): void {
  const given = filters.flatMap((name) => (options[name] === undefined ? [] : [`--${name} ${escapeControls(options[name])}`]));
  process.stdout.write(given.length === 0 ? `no ${what} yet\n` : `no ${what} of ${given.join(" ")}\n`);
}
