import { durationSchema } from "@fleetmark/shared/config/config";
import { z } from "zod";
import { sinkSchema, webUrl } from "./sinks/sink-config.js";

/** What is set of alerts beside where campaigns read them. */
export const alertFields = {
  sinks: z
    .array(sinkSchema)
    .superRefine((sinks, context) => {
      for (const [i, { name }] of sinks.entries()) {
        if (sinks.findIndex((each) => each.name === name) === i) continue;
        context.addIssue({
          code: "custom",
          path: [i, "name"],
          message: `${name} is the name of an earlier one: give each its own`,
        });
      }
    })
    .prefault([])
    .describe("how people are told: Alertmanagers, webhooks, mail (docs/alerts.md); in variables and flags as JSON"),
  every: durationSchema
    .refine((seconds) => seconds >= 1 && seconds <= 60, "must lie between 1s and 1m")
    .describe("how often is looked whether something is to be told")
    .prefault("10s"),
  wait: durationSchema.describe("how long others of a group are waited for before it is told of first").prefault("30s"),
  update: durationSchema.describe("how long between two messages of a group that changes").prefault("5m"),
  repeat: durationSchema
    .refine((seconds) => seconds >= 60, "must be at least 1m")
    .describe("after which what goes on is told of again")
    .prefault("4h"),
  confirm: z
    .stringbool()
    .or(z.boolean())
    .describe("whether a host measures again what was called slower, when it is free, before anybody is told")
    .default(true),
  ignore: z.array(z.string().min(1)).describe("globs of the names of alerts that nobody wants").default([]),
  runbooks: z
    .union([z.literal(""), webUrl])
    .describe("address of a copy of docs/runbooks, for links in messages; empty: none are given")
    .default(""),
};
