import { countFilesByFolder, countFolderImports, findCircles, findMutualFolders } from "./figures.js";
import { packages, readSourceTree } from "./source-tree.js";

/**
 * Prints the figures of the structure, package by package: `make structure`, or of another checkout
 * `node test/run.mjs test/architecture/report.ts DIR`.
 */
const files = readSourceTree(process.argv[3] ?? ".");
for (const name of packages) {
  const own = files.filter((file) => file.package === name);
  const lines = own.map((file) => file.lines).sort((a, b) => a - b);
  const functions = own
    .flatMap(({ path, functions: of }) => of.map((each) => ({ path, ...each })))
    .sort((a, b) => b.lines - a.lines);
  const across = countFolderImports(own).reduce((sum, { imports }) => sum + imports, 0);
  const [widest] = countFilesByFolder(own);
  const [longest] = functions;
  console.log(`${name}: ${own.length} files, ${lines.reduce((sum, each) => sum + each, 0)} lines`);
  console.log(`  median file ${lines[Math.floor(lines.length / 2)]} lines, longest ${lines.at(-1)}`);
  console.log(`  widest folder ${widest?.[0]} with ${widest?.[1]} files`);
  console.log(`  longest function ${longest?.name} (${longest?.path}:${longest?.line}) with ${longest?.lines} lines`);
  console.log(`  functions over 60 lines: ${functions.filter((each) => each.lines > 60).length}`);
  console.log(
    `  imports across folders ${across}; folders that import each other: ${findMutualFolders(own).join(", ") || "none"}`,
  );
}
console.log(`circles of imports: ${findCircles(files).length}`);
