import { allowRetention, planStoreRetention, type Retained, retainStoreNow } from "@fleetmark/collector";
import { FleetmarkError } from "@fleetmark/shared/errors";
import { formatBytes, formatCount } from "@fleetmark/shared/model/numbers";
import type { Command } from "commander";
import { addConfigFlags, readConfig } from "../config/config-flags.js";
import { configSchemas } from "../config/config-schemas.js";
import { printJson, tell } from "../output/message.js";
import { formatMoment } from "../tables/times.js";

interface RetainOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function addRetainCommand(store: Command): void {
  const retain = store
    .command("retain")
    .description("say what is past its time and whether it may go, or let it go: what the collector does each night")
    .option("-c, --config <file>", "YAML configuration of the collector")
    .option("--dry-run", "say what would go, and do nothing")
    .option("-y, --yes", "roll it up and drop it, whatever is held against it; a collector that runs does it at once")
    .option("--json", "what is planned or done as JSON")
    .addHelpText(
      "after",
      `
Nothing goes by itself while most hosts contradict this machine's clock, while the clock has leapt by more than eight
days, or after store.retention was shortened by more than that.

Examples:
  fleetmark store retain --dry-run --data-dir ./fleetmark-data
  fleetmark store retain --yes --config collector.yaml`,
    );
  addConfigFlags(retain, configSchemas.collector);
  retain.action(async (options: RetainOptions) => {
    if (options.yes === options.dryRun)
      throw new FleetmarkError("USAGE", "say --dry-run to see what would go, or --yes to let it go");
    const config = readConfig(retain, configSchemas.collector);
    if (options.dryRun) await showPlan(config, options);
    else await letGo(config, options);
  });
}

type Config = Parameters<typeof planStoreRetention>[0];

async function showPlan(config: Config, { json }: RetainOptions): Promise<void> {
  const plan = await planStoreRetention(config);
  if (json) {
    printJson(plan);
    return;
  }
  const { last_us, held, counts, is_running } = plan;
  tell(last_us === null ? "nothing was rolled up here yet" : `last rolled up ${formatMoment(last_us)}`);
  tell(held === null ? "nothing is held against the next roll-up" : `held: ${held}`);
  if (counts !== null) {
    const { samples, samples_to_roll_up, hours_to_drop, records_to_drop } = counts;
    tell(
      `to roll up: ${formatCount(samples_to_roll_up)} of ${formatCount(samples)} samples; to drop: ${formatCount(hours_to_drop)} hours, ${formatCount(records_to_drop)} samples of records`,
    );
  } else if (is_running) tell("a collector holds the data file: what would go can be counted while none runs");
  else tell("the server rolls up and drops by itself: nothing can be counted here");
}

function describeRetained(done: Retained): string[] {
  const { samples_rolled_up, hours_dropped, records_dropped, bytes_freed, not_freed_because } = done;
  const rolledUp = `rolled up ${formatCount(samples_rolled_up)} samples; dropped ${formatCount(hours_dropped)} hours and ${formatCount(records_dropped)} samples of records`;
  if (not_freed_because !== null) return [rolledUp, `the data file stays as large as it is: ${not_freed_because}`];
  return bytes_freed > 0 ? [rolledUp, `the data file is ${formatBytes(bytes_freed)} smaller`] : [rolledUp];
}

async function letGo(config: Config, { json }: RetainOptions): Promise<void> {
  const done = await retainStoreNow(config);
  if (done === "locked") {
    await allowRetention(config);
    if (json) printJson({ allowed: true, retained: null });
    else tell("the collector that holds the data file does it within ten seconds, and logs store_retained");
    return;
  }
  if (json) printJson({ allowed: true, retained: done ?? null });
  else if (done === undefined) tell("done; the server rolls up and drops by itself");
  else for (const line of describeRetained(done)) tell(line);
}
