import type { Command, Option } from "commander";

/** Command lines in texts, and whether the program takes them. */

/** What ends a command in a shell: a pipe, a redirection, the next command, a remark. */
const shellEnd = /\s(?:\||>|&&|;|#|\\$).*$/;

/** Words of prose that stand for what a person puts in: `FILE`, `DIR`, `…`. */
function tidy(text: string): string {
  const command = text.trimStart().replace(/\s{2,}.*$/, "");
  return command.replace(shellEnd, "").replaceAll(/[[\]]/g, " ").replaceAll(/\s+/g, " ").trim();
}

/**
 * Finds what a text tells people to type: in code, and in lines of their own that begin with the command. A line such as
 * `fleetmark store check`, `setup` names commands of one family by their last words alone; those are passed over.
 */
export function findCommandLines(text: string): string[] {
  const found: string[] = [];
  for (const line of text.replaceAll(/\\\n\s*/g, " ").split("\n")) {
    const own = /^\s*(?:\$ |- run: |run: )?(?:[A-Z][A-Z0-9_]*=\S+ )*(?:npx |exec )?(fleetmark(?:\s.*)?)$/.exec(line);
    if (own?.[1] !== undefined) found.push(tidy(own[1]));
    else
      for (const [, code = ""] of line.matchAll(/`(?:[A-Z][A-Z0-9_]*=\S+ )*(?:npx )?(fleetmark(?:\s[^`]*)?)`/g))
        found.push(tidy(code));
  }
  return [...new Set(found)].filter((line) => line !== "fleetmark" && !line.includes("…"));
}

/** Splits as a shell does, as far as examples need: quotes hold words together. */
function splitWords(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain ?? "");
}

function findOption(command: Command, word: string): Option | undefined {
  const [name] = word.split("=");
  return command.options.find(({ long, short }) => long === name || short === name);
}

const builtIn = ["--help", "-h", "--version", "-V"];

/** Says which flag a command line lacks that its command can't do without. */
export function findMissingFlag(program: Command, line: string): string | undefined {
  const words = splitWords(line).slice(1);
  const command = words.reduce((found, word) => found.commands.find((each) => each.name() === word) ?? found, program);
  const given = words.flatMap((word) => findOption(command, word) ?? []);
  return command.options.find((option) => option.mandatory && !given.includes(option))?.long ?? undefined;
}

/** Says what is wrong with a command line: a command that there is not, or a flag of another; undefined where nothing is. */
export function checkCommandLine(program: Command, line: string): string | undefined {
  const words = splitWords(line).slice(1);
  let command = program;
  while (words[0] !== undefined && !words[0].startsWith("-")) {
    const next = command.commands.find((each) => each.name() === words[0]);
    if (next === undefined) break;
    command = next;
    words.shift();
  }
  if (command.commands.length > 0 && words.length > 0 && !builtIn.includes(words[0] ?? ""))
    return `there is no command ${words[0]}`;
  // `-7d` is a time.
  const flags = words.filter((each) => /^-+[a-z]/i.test(each));
  const unknown = flags.find((flag) => !builtIn.includes(flag) && findOption(command, flag) === undefined);
  return unknown === undefined ? undefined : `${command.name()} has no ${unknown}`;
}
