import { guardStandardStreams } from "./output/standard-streams.js";
import { watchSignals } from "./processes/interruption.js";

guardStandardStreams();
watchSignals();

const { buildProgram } = await import("./program.js");
const { CommanderError } = await import("commander");
const { reportFailure } = await import("./output/failure.js");

try {
  const program = await buildProgram(process.argv.slice(2));
  await program.parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  else process.exitCode = reportFailure(thrown instanceof Error ? thrown : new Error(String(thrown)));
}
