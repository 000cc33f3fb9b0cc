import { isDeepStrictEqual } from "node:util";
import type { ToolState } from "@fleetmark/shared/tools/tool-runner";
import { type BusGpu, listBusGpus } from "./gpu-bus.js";
import { type GpuVendor, nameVendor } from "./gpu-name.js";
import { askAmd, askNvidia, type RunTool, type ToolReport } from "./gpu-tools.js";
import type { HostView } from "./host-view.js";
import type { KnownGpus } from "./known-gpus.js";
import { type DriverGpu, listNvidiaGpus } from "./nvidia-driver.js";

/*
 * Which GPUs a host has, from four sources that seldom all answer, and never all wait:
 *
 *   tool     names, partitions, what this process was given of them      may fail, hang, or be missing
 *   memory   what the tool told last, as long as the bus is the same     (known-gpus.ts)
 *   driver   models and addresses                                        missing until it is loaded
 *   bus      vendors and ids, hence how many there are                   always there, but in WSL and on other systems
 *
 * The first that knows something wins; what the others know differently is a finding.
 */

/** What is known of a host's GPUs. */
export interface GpuFacts {
  /** Model names, in the order in which their source has them. */
  readonly gpus: readonly string[];
  readonly toolStates: Readonly<Record<string, ToolState>>;
  /** Why a tool told nothing, for each that did not. */
  readonly toolReasons: Readonly<Record<string, string>>;
  /** What is not as it should be, in sentences. */
  readonly findings: readonly string[];
  /** To be kept for the next time. */
  readonly known: KnownGpus;
}

/** One vendor's GPUs, as each source tells of them. */
interface Sources {
  readonly vendor: GpuVendor;
  readonly bus: readonly BusGpu[];
  /** Undefined where the driver is not there. */
  readonly driver: readonly DriverGpu[] | undefined;
  /** The vendor's tools; the first that works counts. */
  readonly reports: readonly ToolReport[];
  readonly known: KnownGpus[string] | undefined;
}

const listIds = (bus: readonly BusGpu[]): string[] => bus.map(({ id }) => id).sort();

/** Names devices on the bus by what their driver calls them, or another of the same make; else by their id. */
function nameBusGpus({ vendor, bus, driver = [] }: Sources): string[] {
  const byAddress = new Map([...driver, ...bus].flatMap(({ address, model }) => (model === undefined ? [] : [[address, model]])));
  const byId = new Map(bus.flatMap(({ id, address }) => (byAddress.has(address) ? [[id, byAddress.get(address)]] : [])));
  return bus.map(({ id, address }) => byAddress.get(address) ?? byId.get(id) ?? `${nameVendor(vendor)} 0x${id.split(":")[1]}`);
}

/** Names what a driver has of it: in a container, what of the bus it was given. */
function nameDriverGpus(sources: Sources): string[] {
  const { bus, driver = [] } = sources;
  const names = nameBusGpus(sources);
  return driver.flatMap(({ address, model }) => model ?? names[bus.findIndex((gpu) => gpu.address === address)] ?? []);
}

function chooseGpus(sources: Sources): readonly string[] {
  const { bus, reports, known, driver } = sources;
  const told = reports.find(({ state, gpus }) => state === "ok" && gpus.length > 0);
  const isKnown = known !== undefined && isDeepStrictEqual(known.bus, listIds(bus));
  if (told !== undefined && !(told.isPartial && isKnown)) return told.gpus.map(({ name }) => name);
  const isToolThere = reports.some(({ state }) => state !== "absent" && state !== "ok");
  if (isKnown && (bus.length > 0 || isToolThere)) return known.gpus;
  if (told !== undefined) return told.gpus.map(({ name }) => name);
  return driver !== undefined && driver.length > 0 ? nameDriverGpus(sources) : nameBusGpus(sources);
}

const count = (number: number, vendor: GpuVendor): string => `${number} ${nameVendor(vendor)} GPU${number === 1 ? "" : "s"}`;

/** Says what of the bus the driver lacks: a GPU that fell off it, or of which a container was given none. */
function findLost({ vendor, bus, driver }: Sources): string[] {
  const missing = bus.filter(({ address }) => !(driver ?? []).some((gpu) => gpu.address === address));
  if (missing.length === 0) return [];
  const others = [...new Set(missing.flatMap((gpu) => (gpu.driver === undefined ? [] : [gpu.driver])))];
  const bound = driver === undefined && others.length > 0 ? `; bound to ${others.join(", ")}` : "";
  const has = `${count(bus.length, vendor)} on the bus, ${driver === undefined ? "none" : driver.length} in the driver`;
  return [`${has}: ${missing.map(({ address }) => address).join(", ")} missing${bound}`];
}

function findTrouble(sources: Sources): string[] {
  const { vendor, bus, driver, reports, known } = sources;
  const told = reports.find(({ state, gpus }) => state === "ok" && gpus.length > 0);
  const isExpected = bus.length > 0 || known !== undefined;
  const troubles = reports.flatMap(({ tool, state, reason }) => {
    if (state === "ok" || (state === "absent" && (!isExpected || reports.some((other) => other.state !== "absent")))) return [];
    return [`${tool} told of no GPU (${state === "absent" ? "not found" : `${state.replace("_", " ")}: ${reason}`})`];
  });
  const has = driver?.length ?? bus.length;
  const fewer =
    told !== undefined && told.gpus.length < has
      ? [`${count(has, vendor)} in the driver, ${told.gpus.length} by ${told.tool}`]
      : [];
  return [...findLost(sources), ...(told === undefined ? troubles : []), ...fewer];
}

/** AMD's and Intel's drivers are known by what is bound to the device. */
const kernelDrivers: Readonly<Record<string, readonly string[]>> = { amd: ["amdgpu"], intel: ["xe", "i915"] };

function listBound(vendor: GpuVendor, bus: readonly BusGpu[]): DriverGpu[] | undefined {
  const bound = bus.filter(({ driver }) => driver !== undefined && kernelDrivers[vendor]?.includes(driver));
  return bound.length === 0 ? undefined : bound.map(({ address, model }) => ({ address, model }));
}

function rememberGpus(all: readonly Sources[], chosen: readonly (readonly string[])[]): KnownGpus {
  const entries = all.flatMap(({ vendor, bus, reports, known }, i): [string, KnownGpus[string]][] => {
    const told = reports.find(({ state, gpus, isPartial }) => state === "ok" && gpus.length > 0 && !isPartial);
    if (told !== undefined) return [[vendor, { bus: listIds(bus), gpus: [...chosen[i]] }]];
    // A tool that works and knows of none, on a host whose bus has none either: they are gone.
    const isGone = bus.length === 0 && reports.some(({ state }) => state === "ok");
    return known === undefined || isGone ? [] : [[vendor, known]];
  });
  return Object.fromEntries(entries);
}

/** Whether what tools told last holds for all GPUs that are on the bus, of those makes that have tools. */
export function areRemembered(view: HostView, known: KnownGpus): boolean {
  const bus = listBusGpus(view);
  return (["nvidia", "amd"] as const).every((vendor) => {
    const own = bus.filter((gpu) => gpu.vendor === vendor);
    return own.length === 0 || isDeepStrictEqual(known[vendor]?.bus, listIds(own));
  });
}

export async function readGpus(view: HostView, run: RunTool, known: KnownGpus): Promise<GpuFacts> {
  const bus = listBusGpus(view);
  const [nvidia, amd, driver] = await Promise.all([askNvidia(run), askAmd(run), listNvidiaGpus(view, run)]);
  const describe = (vendor: GpuVendor, reports: readonly ToolReport[]): Sources => {
    const own = bus.filter((gpu) => gpu.vendor === vendor);
    return { vendor, bus: own, driver: vendor === "nvidia" ? driver : listBound(vendor, own), reports, known: known[vendor] };
  };
  const all = [describe("nvidia", [nvidia]), describe("amd", amd), describe("intel", [])];
  const chosen = all.map(chooseGpus);
  const reports = [nvidia, ...amd];
  return {
    gpus: chosen.flat(),
    toolStates: Object.fromEntries(reports.map(({ tool, state }) => [tool, state])),
    toolReasons: Object.fromEntries(reports.flatMap(({ tool, reason }) => (reason === undefined ? [] : [[tool, reason]]))),
    findings: all.flatMap(findTrouble),
    known: rememberGpus(all, chosen),
  };
}
