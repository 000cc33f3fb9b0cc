import { createToken, type Role, readTokens, revokeToken, roles, type Token } from "@fleetmark/collector/access";
import { makeFolder } from "@fleetmark/shared/tools/folder";
import { type Command, InvalidArgumentError, Option } from "commander";
import { addFormatFlags, type FormatOptions, printTable } from "../output/formats.js";
import { printJson, tell } from "../output/message.js";
import type { Table } from "../output/table.js";
import { formatMoment, formatTime } from "../tables/times.js";
import { addDataDirFlags, findDataDir } from "./data-dir.js";
import { readSeconds } from "./read/source-flags.js";

export function defineToken(token: Command): void {
  addCreateCommand(token);
  addListCommand(token);
  addRevokeCommand(token);
}

interface PlaceOptions {
  readonly data?: string;
}

function readName(text: string): string {
  if (!/^[\w.@-]{1,64}$/.test(text)) throw new InvalidArgumentError("A name holds up to 64 letters, digits, . _ @ and -.");
  return text;
}

function addCreateCommand(token: Command): void {
  const create = token.command("create").description("make a token, and print it: it can't be read again");
  addDataDirFlags(create)
    .addOption(new Option("--name <name>", "who it is for").argParser(readName).makeOptionMandatory())
    .addOption(
      new Option("--role <role>", "read; operate: start and stop runs; admin").choices(roles).default("operate" satisfies Role),
    )
    .addOption(new Option("--expires <duration>", "after which it is let in no more, such as 90d").argParser(readSeconds))
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      `
Only its hash is kept, in tokens.json of the data directory; a collector that
runs knows it within a second.

Examples:
  fleetmark token create --name ci --role operate --expires 90d > ci.token
  FLEETMARK_TOKEN_FILE=ci.token fleetmark fleet run --hosts 'gpu-*'`,
    );
  create.action(async (options: PlaceOptions & { name: string; role: Role; expires?: number; json?: boolean }) => {
    const { name, role, expires } = options;
    const nowUs = Date.now() * 1000;
    const dataDir = findDataDir(create, options);
    await makeFolder(dataDir, 0o700);
    const expiresUs = expires === undefined ? undefined : Math.round(nowUs + expires * 1e6);
    const made = await createToken(dataDir, { name, role, expiresUs }, nowUs);
    if (options.json) printJson({ name, role, token: made, expires_us: expiresUs ?? null });
    else process.stdout.write(`${made}\n`);
    tell(`made for ${name}, with the role ${role}${expiresUs === undefined ? "" : `, until ${formatMoment(expiresUs)}`}`);
  });
}

function buildTokenTable(rows: readonly Token[], nowUs: number): Table<Token> {
  const describeExpiry = ({ expires_us }: Token): string => {
    if (expires_us === undefined) return "never";
    return expires_us <= nowUs ? "has expired" : formatMoment(expires_us);
  };
  return {
    columns: [
      { key: "name", title: "name", align: "left", value: ({ name }) => name },
      { key: "role", title: "role", align: "left", value: ({ role }) => role },
      {
        key: "created",
        title: "made",
        align: "left",
        value: ({ created_us }) => formatTime(created_us),
        text: ({ created_us }) => formatMoment(created_us),
      },
      {
        key: "expires",
        title: "expires",
        align: "left",
        value: ({ expires_us }) => (expires_us === undefined ? null : formatTime(expires_us)),
        text: describeExpiry,
      },
    ],
    rows,
  };
}

function addListCommand(token: Command): void {
  const list = token.command("list").description("list the tokens that there are, without the tokens themselves");
  addFormatFlags(addDataDirFlags(list)).addHelpText(
    "after",
    `
Examples:
  fleetmark token list --data ./fleetmark-data`,
  );
  list.action(async (options: PlaceOptions & FormatOptions) => {
    const tokens = await readTokens(findDataDir(list, options));
    const shown = tokens.map(({ hash: _, ...rest }) => rest);
    if (tokens.length === 0 && options.format === "table")
      tell("there are no tokens; who can read the data directory needs none");
    else printTable(buildTokenTable(tokens, Date.now() * 1000), shown, options.format);
  });
}

function addRevokeCommand(token: Command): void {
  const revoke = token.command("revoke <name>").description("let a token in no more, from the next second on");
  addDataDirFlags(revoke).addHelpText(
    "after",
    `
Examples:
  fleetmark token revoke ci`,
  );
  revoke.action(async (name: string, options: PlaceOptions) => {
    await revokeToken(findDataDir(revoke, options), name);
    tell(`${name} is let in no more`);
  });
}
