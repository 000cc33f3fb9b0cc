// Prints the sizes of the file systems whose paths are given in hexadecimal digits, a line each, as `stat -f` would;
// but for the unit that blocks are counted in, for which Node has only the block size, marked by a minus. Its own
// process, because statfs(2) may never return.
import { statfsSync } from "node:fs";

for (const argument of process.argv.slice(2)) {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(Buffer.from(argument, "hex"));
  process.stdout.write(`-${[bsize, blocks, bfree, bavail, files, ffree].join(" ")}\n`);
}
