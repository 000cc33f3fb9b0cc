import {
  dropQuarantined,
  listQuarantine,
  type QuarantineEntry,
  type ReplayOutcome,
  readQuarantined,
  requestReplay,
  showQuarantined,
  takeOutcome,
} from "@fleetmark/collector";
import { FleetmarkError, isErrorCode } from "@fleetmark/shared/errors";
import { formatBytes } from "@fleetmark/shared/model/numbers";
import { type Command, InvalidArgumentError, Option } from "commander";
import { addFormatFlags, type FormatOptions, printTable, printText } from "../output/formats.js";
import { printJson, tell } from "../output/message.js";
import { buildQuarantineTable, buildSamplesTable } from "../tables/quarantine.js";
import { addDataDirFlags, findDataDir } from "./data-dir.js";

export function defineQuarantine(quarantine: Command): void {
  addListCommand(quarantine);
  addShowCommand(quarantine);
  addReplayCommand(quarantine);
  addDropCommand(quarantine);
}

interface PlaceOptions {
  readonly data?: string;
}

interface FilterOptions extends PlaceOptions {
  readonly code?: string;
  readonly host?: string;
  readonly all?: boolean;
}

function readCode(text: string): string {
  if (!isErrorCode(text))
    throw new InvalidArgumentError("It is no code of Fleetmark; `fleetmark quarantine list` shows those that are there.");
  return text;
}

function addFilterFlags(command: Command): Command {
  return command
    .addOption(new Option("--code <code>", "of this reason alone, such as TIME_AHEAD").argParser(readCode))
    .option("--host <name>", "of this host alone");
}

/** As a file's name holds it. */
const writeHost = (host: string): string => host.replaceAll(/[^A-Za-z0-9-]/g, "_").slice(0, 64);

function filterEntries(entries: readonly QuarantineEntry[], { code, host }: FilterOptions): QuarantineEntry[] {
  const isWanted = (entry: QuarantineEntry): boolean =>
    (code === undefined || entry.code === code) && (host === undefined || entry.host === writeHost(host));
  return entries.filter(isWanted);
}

/** @throws FleetmarkError QUARANTINE_UNKNOWN */
function findEntry(entries: readonly QuarantineEntry[], id: string): QuarantineEntry {
  const found = entries.find((entry) => entry.id === id || entry.file === id);
  if (found === undefined) throw new FleetmarkError("QUARANTINE_UNKNOWN", `there is no ${JSON.stringify(id)} in quarantine`);
  return found;
}

/** @throws FleetmarkError USAGE where it is not said what is meant, QUARANTINE_UNKNOWN */
function chooseEntries(entries: readonly QuarantineEntry[], ids: readonly string[], options: FilterOptions): QuarantineEntry[] {
  if (ids.length > 0) return ids.map((id) => findEntry(entries, id));
  if (options.all !== true && options.code === undefined && options.host === undefined) {
    throw new FleetmarkError("USAGE", "say which: ids as `fleetmark quarantine list` shows them, --code, --host, or --all");
  }
  return filterEntries(entries, options);
}

function sumBytes(entries: readonly QuarantineEntry[]): string {
  return formatBytes(entries.reduce((sum, { bytes }) => sum + bytes, 0));
}

function addListCommand(quarantine: Command): void {
  const list = quarantine.command("list").description("list what the collector rejected, the oldest first, and why");
  addFormatFlags(addFilterFlags(addDataDirFlags(list))).addHelpText(
    "after",
    `
Examples:
  fleetmark quarantine list --data ./fleetmark-data
  fleetmark quarantine list --config collector.yaml --code TIME_AHEAD --json`,
  );
  list.action(async (options: FilterOptions & FormatOptions) => {
    const entries = filterEntries(await listQuarantine(findDataDir(list, options)), options);
    printTable(buildQuarantineTable(entries), entries, options.format);
    if (options.format === "table") tell(`${entries.length} in quarantine, ${sumBytes(entries)}`);
  });
}

function addShowCommand(quarantine: Command): void {
  const show = quarantine.command("show <id>").description("show what is in it, and what is wrong with it");
  addDataDirFlags(show)
    .option("--raw", "its bytes as they are, on stdout")
    .option("--json", "one document on stdout")
    .option("--limit <count>", "most samples that are shown to people", readLimit, 50)
    .addHelpText(
      "after",
      `
Examples:
  fleetmark quarantine show 1795688833486000-000001 --data ./fleetmark-data
  fleetmark quarantine show 1795688833486000-000001 --raw > batch.bin`,
    );
  show.action(async (id: string, options: PlaceOptions & { raw?: boolean; json?: boolean; limit: number }) => {
    const dataDir = findDataDir(show, options);
    const entry = findEntry(await listQuarantine(dataDir), id);
    const bytes = await readQuarantined(dataDir, entry);
    if (options.raw) {
      process.stdout.write(bytes);
      return;
    }
    const content = showQuarantined(entry, bytes);
    if (options.json) printJson({ ...entry, ...content });
    else {
      printText(buildQuarantineTable([entry]), "; --json has all");
      if (content.problem !== "") process.stdout.write(`\n${content.problem}\n`);
      if (content.line !== "") process.stdout.write(`\n${content.line}\n`);
      if (content.samples.length === 0) return;
      process.stdout.write("\n");
      printText(buildSamplesTable(content.samples.slice(0, options.limit)), "; --json has all");
      if (content.samples.length > options.limit) tell(`the first ${options.limit} of ${content.samples.length}; --json has all`);
    }
  });
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 1) throw new InvalidArgumentError("A limit is a whole number from 1 on.");
  return limit;
}

function addReplayCommand(quarantine: Command): void {
  const replay = quarantine
    .command("replay [ids...]")
    .description("take in again what was rejected, once its cause is mended; what is rejected again stays")
    .option("--all", "all of it");
  addFilterFlags(addDataDirFlags(replay))
    .option("--dry-run", "say what would be taken in, and do nothing")
    .option("--wait <seconds>", "for the collector to say what became of it", readWait, 30)
    .option("--json", "what became of each as JSON")
    .addHelpText(
      "after",
      `
The collector that runs on the data directory takes it in; where none runs, the next one does.

Examples:
  fleetmark quarantine replay --code TIME_AHEAD --data ./fleetmark-data
  fleetmark quarantine replay 1795688833486000-000001 --config collector.yaml`,
    );
  replay.action(async (ids: string[], options: FilterOptions & ReplayOptions) => {
    const dataDir = findDataDir(replay, options);
    const entries = chooseEntries(await listQuarantine(dataDir), ids, options);
    if (options.dryRun || entries.length === 0) {
      if (options.json) printJson(entries);
      else tell(`${entries.length} would be taken in, ${sumBytes(entries)}`);
      return;
    }
    for (const entry of entries) await requestReplay(dataDir, entry);
    const outcomes = await awaitOutcomes(dataDir, entries, options.wait);
    if (options.json) printJson(outcomes);
    else tellOutcomes(outcomes, entries.length);
    process.exitCode = outcomes.length === entries.length && outcomes.every(isWhole) ? 0 : 3;
  });
}

interface ReplayOptions {
  readonly dryRun?: boolean;
  readonly wait: number;
  readonly json?: boolean;
}

function readWait(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0 && seconds <= 86_400)) throw new InvalidArgumentError("A wait is a number of seconds from 0 to 86400.");
  return seconds;
}

const isWhole = ({ fate, refused }: ReplayOutcome): boolean => fate === "stored" && Object.keys(refused).length === 0;

/** Waits until the collector has said of each what became of it, or the time is up. */
async function awaitOutcomes(dataDir: string, entries: readonly QuarantineEntry[], seconds: number): Promise<ReplayOutcome[]> {
  const until = performance.now() + seconds * 1e3;
  const outcomes: ReplayOutcome[] = [];
  const left = new Set(entries.map(({ file }) => file));
  for (;;) {
    for (const file of left) {
      const outcome = await takeOutcome(dataDir, file);
      if (outcome === undefined) continue;
      outcomes.push(outcome);
      left.delete(file);
    }
    if (left.size === 0 || performance.now() >= until) return outcomes;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function tellOutcomes(outcomes: readonly ReplayOutcome[], asked: number): void {
  for (const { file, fate, code, message, refused } of outcomes) {
    if (fate === "rejected") tell(`${file}: rejected again, ${code}: ${message}`);
    for (const [reason, samples] of Object.entries(refused)) tell(`${file}: refused again: ${samples} × ${reason}`);
  }
  const stored = outcomes.filter(isWhole).length;
  const waiting = asked - outcomes.length;
  const rest = waiting === 0 ? "" : `; ${waiting} wait for a collector that runs on this data directory`;
  tell(`${stored} of ${asked} were taken in whole${rest}`);
}

function addDropCommand(quarantine: Command): void {
  const drop = quarantine.command("drop [ids...]").description("remove for good what was rejected").option("--all", "all of it");
  addFilterFlags(addDataDirFlags(drop))
    .option("-y, --yes", "do it; otherwise what would go is said")
    .option("--json", "what went as JSON")
    .addHelpText(
      "after",
      `
Examples:
  fleetmark quarantine drop --code BATCH_MALFORMED --data ./fleetmark-data
  fleetmark quarantine drop --all --yes --config collector.yaml`,
    );
  drop.action(async (ids: string[], options: FilterOptions & { yes?: boolean; json?: boolean }) => {
    const dataDir = findDataDir(drop, options);
    const entries = chooseEntries(await listQuarantine(dataDir), ids, options);
    if (options.yes) for (const entry of entries) await dropQuarantined(dataDir, entry);
    if (options.json) printJson({ dropped: options.yes === true, entries });
    else tell(`${entries.length} ${options.yes ? "were removed" : "would be removed; add --yes to do it"}, ${sumBytes(entries)}`);
  });
}
