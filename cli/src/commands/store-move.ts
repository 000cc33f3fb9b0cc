import { basename } from "node:path";
import { exportStore, type ImportReport, importFile, type Precision, parseMoment, precisions } from "@fleetmark/collector";
import { type Command, InvalidArgumentError, Option } from "commander";
import { addConfigFlags, readConfig } from "../config/config-flags.js";
import { configSchemas } from "../config/config-schemas.js";
import { tell } from "../output/message.js";
import { createProgressLine } from "../output/progress-line.js";
import { awaitInterruption } from "../processes/interruption.js";

interface MoveOptions {
  readonly from: number;
  readonly to: number;
  readonly measurement: string[];
  readonly json?: boolean;
}

function readMoment(text: string): number {
  const timeUs = parseMoment(text, Date.now() * 1000);
  if (timeUs === undefined) throw new InvalidArgumentError("A time looks like 2026-01-31T12:00:00Z or -7d.");
  return timeUs;
}

/** As far as times go that a double holds exactly. */
const endOfTimeUs = 2 ** 53 - 1;

function addMoveFlags(command: Command): Command {
  return command
    .option("-c, --config <file>", "YAML configuration of the collector")
    .addOption(
      new Option("--from <time>", "not what is older: RFC 3339, or such as -7d")
        .argParser(readMoment)
        .default(0, "the beginning"),
    )
    .addOption(
      new Option("--to <time>", "not what is of this time or later").argParser(readMoment).default(endOfTimeUs, "the end"),
    )
    .option("--measurement <name...>", "these measurements alone", [])
    .option("--json", "what was done as JSON");
}

function formatCount(count: number): string {
  return count.toLocaleString("en").replaceAll(",", " ");
}

export function addExportCommand(store: Command): void {
  const command = addMoveFlags(
    store
      .command("export <file>")
      .description("write what the store holds into a file: .lp or .lp.gz (line protocol), .parquet (one row a value)"),
  ).addHelpText(
    "after",
    `
A data file can be read while no collector holds it; InfluxDB at any time.

Examples:
  fleetmark store export trial.lp.gz --data-dir ./fleetmark-data
  fleetmark store export week.parquet --config collector.yaml --from -7d --measurement cpu benchmark`,
  );
  addConfigFlags(command, configSchemas.collector);
  command.action(async (file: string, options: MoveOptions) => {
    const config = readConfig(command, configSchemas.collector);
    const progress = createProgressLine();
    const interruption = awaitInterruption();
    const filter = { measurements: options.measurement, fromUs: options.from, toUs: options.to };
    try {
      const report = await exportStore(config, file, filter, ({ samples }) => {
        // What is thrown here ends the export, which takes its unfinished file away.
        interruption.signal.throwIfAborted();
        progress.show("export", `${formatCount(samples)} values`);
      });
      progress.clear();
      const skipped =
        report.skipped === 0 ? "" : `; ${formatCount(report.skipped)} values are booleans of another writer and were left out`;
      const text = `${formatCount(report.samples)} values in ${report.seconds.toFixed(1)} s: ${file}, ${formatCount(report.bytes)} bytes${skipped}\n`;
      process.stdout.write(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : text);
    } catch (thrown) {
      const code = interruption.caught();
      if (code === undefined) throw thrown;
      progress.clear();
      tell(`interrupted; ${file} was not written`);
      process.exitCode = code;
    } finally {
      progress.clear();
      interruption.release();
    }
  });
}

interface ImportFlags extends MoveOptions {
  readonly precision?: Precision;
  readonly rejected?: string;
}

export function addImportCommand(store: Command): void {
  const command = addMoveFlags(
    store
      .command("import <file...>")
      .description("store what files hold that store export wrote, or line protocol of others; doing it twice is doing it once"),
  )
    .addOption(
      new Option(
        "--precision <unit>",
        "of the times in line protocol that does not say (default: ns, as InfluxDB has it)",
      ).choices(precisions),
    )
    .option(
      "--rejected <file>",
      "keep what can't be stored here, with line number and reason (default: FILE.rejected, in this directory)",
    )
    .addHelpText(
      "after",
      `
Run \`fleetmark store setup\` first where the store is InfluxDB, so that there is a place for all of it. Exit code 3 if anything was rejected.

Examples:
  fleetmark store import trial.lp.gz --config collector.yaml
  fleetmark store import telegraf.lp --precision ns --measurement cpu mem --data-dir ./fleetmark-data`,
    );
  addConfigFlags(command, configSchemas.collector);
  command.action((files: string[], options: ImportFlags) => importFiles(command, files, options));
}

async function importFiles(command: Command, files: readonly string[], options: ImportFlags): Promise<void> {
  const config = readConfig(command, configSchemas.collector);
  const progress = createProgressLine();
  const filter = { measurements: options.measurement, fromUs: options.from, toUs: options.to };
  const reports: ImportReport[] = [];
  try {
    for (const file of files) {
      const rejectedFile = options.rejected ?? `${basename(file)}.rejected`;
      const report = await importFile(config, file, { filter, precision: options.precision, rejectedFile }, (now) => {
        const percent = now.percent === undefined ? "" : `${Math.round(now.percent)} %, `;
        progress.show(file, `${file}: ${percent}${formatCount(now.samples)} values, ${now.rejected} rejected`);
      });
      progress.clear();
      reports.push(report);
      if (options.json !== true) process.stdout.write(describeImport(report));
    }
  } finally {
    progress.clear();
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify(reports, null, 2)}\n`);
  process.exitCode = reports.every(({ rejected }) => rejected === 0) ? 0 : 3;
}

function describeImport({ file, points, samples, rejected, rejected_file, reasons, seconds }: ImportReport): string {
  const lines = [`${file}: ${formatCount(samples)} values of ${formatCount(points)} points in ${seconds.toFixed(1)} s`];
  if (rejected > 0) {
    lines.push(
      `${formatCount(rejected)} could not be stored, kept in ${rejected_file}:`,
      ...reasons.map((reason) => `  ${reason}`),
    );
    if (rejected > reasons.length) lines.push("  …");
  }
  return `${lines.join("\n")}\n`;
}
