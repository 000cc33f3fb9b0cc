import { readFileSync } from "node:fs";

/** The version of Fleetmark, which all of its packages share. */
export const version: string = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;
