import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/*
 * Packages that are not installed with Fleetmark, for their size or for what their installers download. They are found
 * where Node.js finds packages, in the folder that FLEETMARK_RUNTIMES names, or in the repository's own, `.runtimes`,
 * into which `make tfjs-node` and `make webgpu` put them.
 */

const require = createRequire(import.meta.url);

function listFolders(): string[] {
  const named = process.env.FLEETMARK_RUNTIMES;
  return [...(named ? [resolve(named)] : []), fileURLToPath(new URL("../../../.runtimes", import.meta.url))];
}

/** Returns the first place that has a file of a package; this one where none has. */
function findPlace(file: string): NodeJS.Require {
  const places = [require, ...listFolders().map((folder) => createRequire(join(folder, "package.json")))];
  const has = (place: NodeJS.Require): boolean => {
    try {
      return place.resolve(file) !== "";
    } catch {
      return false;
    }
  };
  return places.find(has) ?? require;
}

/** Imports an optional package. @throws Error MODULE_NOT_FOUND where it is not installed; what its loading throws */
export async function importOptional(packageName: string): Promise<unknown> {
  return import(pathToFileURL(findPlace(packageName).resolve(packageName)).href);
}

/** Reads the version of an optional package that shows its manifest. @throws Error MODULE_NOT_FOUND */
export function readOptionalVersion(packageName: string): string {
  const manifest = `${packageName}/package.json`;
  return (findPlace(manifest)(manifest) as { version: string }).version;
}
