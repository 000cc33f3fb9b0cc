import { writeFileSync } from "node:fs";
import { renderLogEvents } from "./log-events.js";

/** Writes docs/log-events.md from the catalogue: `make log-events`. */
writeFileSync("docs/log-events.md", renderLogEvents());
