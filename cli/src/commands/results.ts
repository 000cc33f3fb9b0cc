import { formatOrigins, formatResultsTable } from "@fleetmark/bench";
import { findResults, openStoreReadOnly } from "@fleetmark/collector";
import { type Address, formatAddress } from "@fleetmark/shared/config/config";
import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Result } from "@fleetmark/shared/model/result";
import { parseAddress } from "@fleetmark/shared/model/units";
import { type Command, InvalidArgumentError } from "commander";
import { askCollector } from "../client/collector-api.js";
import { chooseColours } from "../output/terminal.js";

interface ResultsOptions {
  readonly collector: Address;
  readonly data?: string;
  readonly host?: string;
  readonly suite?: string;
  readonly category?: string;
  readonly benchmark?: string;
  readonly run?: string;
  readonly json?: boolean;
}

const defaultDataDir = "./fleetmark-data";

function readAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new InvalidArgumentError("An address looks like 127.0.0.1:7421.");
  return address;
}

export function addResultsCommand(program: Command): void {
  program
    .command("results")
    .description("show the latest results, from a running collector or straight from its data")
    .option("--collector <address>", "HTTP address of the collector", readAddress, readAddress("127.0.0.1:7421"))
    .option("--data <dir>", `read this data directory (default: ${defaultDataDir}, where no collector answers)`)
    .option("--host <name>", "of this host only")
    .option("--suite <name>", "of this suite only")
    .option("--category <name>", "of this category only")
    .option("--benchmark <name>", "of this benchmark only")
    .option("--run <id>", "of this run, instead of the latest of each benchmark")
    .option("--json", "an array of results on stdout")
    .addHelpText(
      "after",
      `
Examples:
  fleetmark results
  fleetmark results --data /tmp/trial --category rl
  fleetmark results --json | jq '.[] | {name, median, unit}'`,
    )
    .action(async (options: ResultsOptions) => {
      const results = await readResults(options);
      if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
      else if (results.length === 0) process.stdout.write("no results yet\n");
      else process.stdout.write(`${formatResultsTable(results, chooseColours(process.stdout))}\n${formatOrigins(results)}`);
    });
}

async function readResults(options: ResultsOptions): Promise<readonly Result[]> {
  const { host, suite, category, benchmark, run } = options;
  const given = Object.entries({ host, suite, category, benchmark, run }).filter(([, value]) => value !== undefined);
  const filter: Record<string, string> = Object.fromEntries(given) as Record<string, string>;
  if (options.data !== undefined) return readStoredResults(options.data, filter);
  try {
    return await askCollector(options.collector, "results", filter);
  } catch (thrown) {
    if (!(thrown instanceof FleetmarkError) || thrown.code !== "COLLECTOR_UNREACHABLE") throw thrown;
    process.stderr.write(`no collector at ${formatAddress(options.collector)}; reading ${defaultDataDir}\n`);
    return readStoredResults(defaultDataDir, filter);
  }
}

async function readStoredResults(dataDir: string, filter: Record<string, string>): Promise<readonly Result[]> {
  const store = await openStoreReadOnly(dataDir);
  try {
    return await findResults(store, filter);
  } finally {
    await store.close();
  }
}
