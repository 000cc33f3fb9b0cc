import { z } from "zod";
import { findCronFault } from "./cron.js";

/** The keys of a configuration by which something recurs. */
export const recurrenceFields = {
  cron: z.string().min(1).max(200).describe("minute hour day month weekday, as cron has them: 30 2 * * *"),
  time_zone: z.string().min(1).max(100).optional().describe("such as Europe/Berlin; default: the host's"),
} as const;

/** Makes the check that no two things of a list have the same name. @param what they are, in the plural */
export function refuseSameNames(what: string) {
  return (list: readonly { readonly name: string }[], context: z.RefinementCtx): void => {
    const names = list.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice === undefined) return;
    context.addIssue({ code: "custom", message: `two ${what} are called ${JSON.stringify(twice)}: give each a name` });
  };
}

/** Refuses what never comes, or comes too often. */
export function checkRecurrence(given: { cron: string; time_zone?: string | undefined }, context: z.RefinementCtx): void {
  const fault = findCronFault({ cron: given.cron, timeZone: given.time_zone }, Date.now());
  if (fault !== undefined) context.addIssue({ code: "custom", path: ["cron"], message: fault });
}
