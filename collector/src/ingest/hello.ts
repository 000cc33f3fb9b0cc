import { FleetmarkError } from "@fleetmark/shared/errors";
import type { Hello } from "@fleetmark/shared/gen/fleetmark/v1/fleet_pb";
import { type Batch, BatchBuilder } from "@fleetmark/shared/model/batch";
import { checkSeries, seriesLimits } from "@fleetmark/shared/model/series";
import { layOutIntroduction } from "@fleetmark/shared/records/introduction";
import { protocolVersion } from "@fleetmark/shared/wire/frames";
import type { AgentHello } from "../fleet/fleet.js";

function violate(message: string): never {
  throw new FleetmarkError("PROTOCOL_VIOLATION", message);
}

function checkText(what: string, text: string, limit: number): void {
  if (text.length > limit) violate(`${what} of ${text.length} characters (the limit is ${limit})`);
}

/** Whether a text is a JSON object. */
export function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/**
 * Checks how an agent introduces itself.
 * @throws FleetmarkError PROTOCOL_MISMATCH, PROTOCOL_VIOLATION, SERIES_INVALID when the host's name cannot be a tag
 */
export function checkHello(hello: Hello): AgentHello {
  if (hello.protocolVersion !== protocolVersion) {
    throw new FleetmarkError(
      "PROTOCOL_MISMATCH",
      `the agent speaks protocol version ${hello.protocolVersion}, this collector speaks version ${protocolVersion}`,
    );
  }
  if (hello.host === "" || hello.host.length > 255) violate(`a host name of ${hello.host.length} characters`);
  checkSeries({ measurement: "agent", field: "version", tags: { host: hello.host } });
  checkText("an agent version", hello.agentVersion, 128);
  checkText("a hardware class", hello.hardwareClass, seriesLimits.tagValueLength);
  checkText("an inventory", hello.inventoryJson, seriesLimits.textLength);
  if (!isJsonObject(hello.inventoryJson)) violate("an inventory that is no JSON object");
  for (const each of [hello.identity, hello.machine]) {
    if (!/^([0-9a-f]{32})?$/.test(each)) violate("an identity that is not 32 hexadecimal digits");
  }
  return { host: hello.host, version: hello.agentVersion, hwClass: hello.hardwareClass, inventoryJson: hello.inventoryJson };
}

/** Makes the batch that stores a Hello. The empty host in its id is one that no agent can have. */
export function buildAgentBatch(
  hello: AgentHello,
  nowUs: number,
  id: { readonly epochUs: number; readonly sequence: number },
): Batch {
  const builder = new BatchBuilder();
  const { host, version, hwClass, inventoryJson } = hello;
  builder.add(layOutIntroduction({ host, version, hw_class: hwClass }, inventoryJson, nowUs));
  return builder.build({ host: "", ...id });
}
