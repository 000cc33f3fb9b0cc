import { z } from "zod";
import { parseDocument, type ReportFormat } from "./report-format.js";

const schema = z.object({
  results: z
    .array(
      z.object({
        command: z.string(),
        times: z.array(z.number().positive()).min(1),
        exit_codes: z.array(z.number().nullable()).optional(),
      }),
    )
    .min(1),
});

/** `hyperfine --export-json FILE`: whole runs of commands, in seconds. */
export const hyperfine: ReportFormat = {
  name: "hyperfine",
  parse: (text) =>
    parseDocument("hyperfine", text, schema).results.map(({ command, times, exit_codes = [] }) => {
      // Those that --ignore-failure let pass are no figures of the command.
      const failed = exit_codes.filter((code) => code !== 0).length;
      const failure = failed === 0 ? {} : { failure: `${failed} of ${times.length} runs did not end with 0` };
      return { name: command, seconds: times, iterationsPerSample: 1, ...failure };
    }),
};
