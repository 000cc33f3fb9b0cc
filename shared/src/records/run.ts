import { runSchema } from "../model/result.js";
import { defineRecord } from "./record-kind.js";

/** Runs that have ended. */
export const runRecord = defineRecord({
  measurement: "run",
  tags: ["host", "hw_class", "suite"],
  identity: ["host", "suite"],
  textField: "state",
  runField: "run",
  jsonFields: ["failures", "fingerprint", "labels"],
  origin: "batch",
  schema: runSchema,
});
