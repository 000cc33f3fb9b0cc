import type { ToolOutcome } from "@fleetmark/shared/tools/tool-runner";
import type { RunTool } from "../src/host/gpu-tools.js";
import type { HostView } from "../src/host/host-view.js";

/** A host of these files; a link is a file whose text is the last part of where it points to. */
export function createView(files: Readonly<Record<string, string>>, platform: NodeJS.Platform = "linux"): HostView {
  const paths = Object.keys(files);
  const list = (folder: string): string[] => {
    const below = paths.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1));
    return [...new Set(below.map((path) => path.split("/")[0]))].sort();
  };
  return { platform, architecture: "x64", read: (path) => files[path]?.trim(), list, readLink: (path) => files[path] };
}

export interface BusDevice {
  readonly vendor: string;
  readonly device: string;
  readonly class: string;
  readonly driver?: string;
  readonly physfn?: string;
  readonly product_name?: string;
}

/** The files of devices on the PCI bus, by address. */
export function listBusFiles(devices: Readonly<Record<string, BusDevice>>): Record<string, string> {
  const files = Object.entries(devices).flatMap(([address, facts]) =>
    Object.entries(facts).map(([name, value]): [string, string] => [`/sys/bus/pci/devices/${address}/${name}`, value]),
  );
  return Object.fromEntries(files);
}

export const printed = (stdout: string): ToolOutcome => ({ state: "ok", stdout, seconds: 0 });
export const absent: ToolOutcome = { state: "absent", reason: "not found", seconds: 0 };
export const hung: ToolOutcome = { state: "timed_out", reason: "no end within 5 s", seconds: 5 };
export const failed = (reason: string): ToolOutcome => ({ state: "failed", reason, seconds: 0 });

/** Tools that answer so by their name, or by name and first argument; the others are absent. */
export function createTools(
  outcomes: Readonly<Record<string, ToolOutcome>>,
  files: Readonly<Record<string, string>> = {},
): RunTool {
  return async (name, args) => {
    if (name === "cat") return printed(args.map((path) => files[path] ?? "").join("\n"));
    return outcomes[`${name} ${args[0]}`] ?? outcomes[name] ?? absent;
  };
}
