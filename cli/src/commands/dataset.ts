import { existsSync } from "node:fs";
import { extname } from "node:path";
import {
  createDataset,
  type Dataset,
  encodeNpz,
  encodeParquet,
  environmentNames,
  type Quality,
  qualities,
} from "@fleetmark/bench/datasets";
import { FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";
import { suggest } from "@fleetmark/shared/model/nearest";
import { writeWholeFile } from "@fleetmark/shared/tools/whole-file";
import { type Command, InvalidArgumentError, Option } from "commander";
import { printJson, tell } from "../output/message.js";
import { createProgressLine } from "../output/progress-line.js";

interface MakeOptions {
  readonly env: string;
  readonly quality: Quality;
  readonly size: number;
  readonly seed: number;
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const mostTransitions = 5_000_000;

function readSize(text: string): number {
  const size = Number(text);
  if (!Number.isInteger(size) || size < 1 || size > mostTransitions)
    throw new InvalidArgumentError(`It is a number from 1 to ${mostTransitions}.`);
  return size;
}

function readSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed) || seed < 0 || seed > 2 ** 32) throw new InvalidArgumentError("It is a number from 0 to 2^32.");
  return seed;
}

function readEnvironment(text: string): string {
  if (environmentNames.includes(text)) return text;
  throw new InvalidArgumentError(`There is no environment ${text}; ${suggest(text, environmentNames)}`);
}

const encoders: Readonly<Record<string, (data: Dataset) => Uint8Array>> = { ".npz": encodeNpz, ".parquet": encodeParquet };

export function defineDataset(dataset: Command): void {
  dataset
    .command("make")
    .description("make an offline dataset of an environment: transitions of behaviour of some quality")
    .addOption(new Option("--env <environment>", "such as ChemicalReactor-v0").argParser(readEnvironment).makeOptionMandatory())
    .addOption(new Option("--quality <quality>", "of what acts").choices(qualities).default("mixed" satisfies Quality))
    .addOption(new Option("--size <transitions>", "how many transitions").argParser(readSize).default(100_000))
    .addOption(new Option("--seed <n>", "equal seeds make equal data").argParser(readSeed).default(1))
    .option("-o, --output <file>", "a name that ends with .npz (NumPy) or .parquet; default: ENVIRONMENT-QUALITY.npz here")
    .option("--force", "replace a file that is there")
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      `
expert: the environment's own controller with a little noise; random: chance;
medium: so much of each that returns lie half-way between; mixed: episodes of
all three in turns. Keys and columns are named in docs/environments.md.

Examples:
  fleetmark dataset make --env ChemicalReactor-v0
  fleetmark dataset make --env HVACControl-v0 --quality medium --size 1000000 -o hvac.parquet
  python3 -c "import numpy; print(numpy.load('ChemicalReactor-v0-mixed.npz')['rewards'].mean())"`,
    )
    .action(make);
}

/** @throws FleetmarkError USAGE */
function choosePlace({ env, quality, output, force }: MakeOptions): { file: string; encode: (data: Dataset) => Uint8Array } {
  const file = output ?? `${env}-${quality}.npz`;
  const encode = encoders[extname(file)];
  if (encode === undefined) throw new FleetmarkError("USAGE", `${file} ends with neither .npz nor .parquet`);
  if (existsSync(file) && !force) throw new FleetmarkError("USAGE", `${file} is there already: --force replaces it`);
  return { file, encode };
}

async function make(options: MakeOptions): Promise<void> {
  const { file, encode } = choosePlace(options);
  const { env, quality, size, seed, json } = options;
  const line = createProgressLine();
  const startedMs = performance.now();
  const onProgress = async (made: number): Promise<void> => {
    const percent = Math.floor((100 * made) / size);
    line.show(String(Math.floor(percent / 10)), `${made} of ${size} transitions (${percent} %)`);
    // Signals are seen between.
    await new Promise((resolve) => setImmediate(resolve));
  };
  const data = await createDataset({ env, quality, size, seed, onProgress });
  line.clear();
  const bytes = encode(data);
  await writeWholeFile(file, bytes, 0o644).catch((cause) => {
    throw new FleetmarkError("USAGE", `${file} can't be written (${systemErrorCode(cause) ?? "unknown"})`, { cause });
  });
  const seconds = (performance.now() - startedMs) / 1e3;
  const { returns, chances } = data;
  const meanReturn = returns.length === 0 ? null : returns.reduce((sum, each) => sum + each, 0) / returns.length;
  const facts = { file, env, quality, seed, transitions: size, episodes: returns.length, mean_return: meanReturn, chances };
  if (json) printJson({ ...facts, bytes: bytes.length, seconds });
  else {
    const told =
      meanReturn === null
        ? "no whole episode"
        : `${returns.length} whole episodes with a mean return of ${meanReturn.toFixed(1)}`;
    tell(
      `${file}: ${size} transitions of ${env}, ${quality}, ${told}; ${(bytes.length / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s`,
    );
  }
}
