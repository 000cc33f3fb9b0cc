import { doTask } from "../../platform/child-task.js";
import { makeBackup } from "./backup.js";

/** The process that copies a data file; see backup-process.ts. */
await doTask(([dataFile, folder, nowUs], onBytes, signal) => makeBackup(dataFile, folder, Number(nowUs), onBytes, signal));
