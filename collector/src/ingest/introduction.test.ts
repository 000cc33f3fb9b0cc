import { BatchBuilder } from "@fleetmark/shared/model/batch";
import { expect, it } from "vitest";
import { createFleet } from "../fleet/fleet.js";
import { noticeIntroduction } from "./introduction.js";

const hello = { host: "h", version: "1", hwClass: "unknown", inventoryJson: "{}" };

function notice(fields: Record<string, string>, tags: Record<string, string> = {}) {
  const state = createFleet(1).touch("h", 1);
  state.hello = hello;
  const builder = new BatchBuilder();
  builder.add({ measurement: "cpu", tags: {}, timeUs: 1, fields: { usage_idle: 5 } });
  builder.add({ measurement: "agent", tags: { host: "h", ...tags }, timeUs: 1, fields });
  noticeIntroduction(state, builder.build({ host: "h", epochUs: 1, sequence: 1 }));
  return state.hello;
}

const told = { version: "1", hardware_class: "c", inventory: '{"os":{}}' };

it("is what an agent has found out since its Hello", () => {
  expect(notice(told)).toEqual({ host: "h", version: "1", hwClass: "c", inventoryJson: '{"os":{}}' });
});

it.each([
  ["of an agent before this one", { ...told, version: "0" }, {}],
  ["that is no JSON object", { ...told, inventory: "[]" }, {}],
  ["without a class", { version: "1", inventory: "{}" }, {}],
  ["of a part of the agent", told, { probe: "cpu" }],
])("is nothing %s", (_, fields, tags) => expect(notice(fields, tags)).toEqual(hello));
