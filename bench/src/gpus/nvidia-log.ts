import { cardFields, type FieldPlace, migFields, unreadElements } from "./nvidia-fields.js";
import { type Reading, readNumber, readTruth, readWords } from "./reading.js";
import { cutElements, findElement, parseXml, type XmlElement } from "./xml.js";

/** Reads what `nvidia-smi -q -x` prints. Which driver printed it is never asked: a value is taken from where it is. */

type Fields = Record<string, number | string>;

export interface CardProcess {
  readonly pid: number;
  /** C: computes, G: draws, M: by MPS; in combination too. */
  readonly type: string;
  readonly name: string;
  /** MiB, where this process may know. */
  readonly memory: number | undefined;
}

/** One MIG slice of a card. */
export interface MigSlice {
  readonly index: string;
  readonly gpuInstance: string;
  readonly computeInstance: string;
  readonly fields: Readonly<Fields>;
}

/** One card, as the tool tells of it. */
export interface Card {
  /** Its place in the list, which is how the tool numbers cards. */
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  /** On the PCI bus. */
  readonly address: string;
  readonly architecture: string;
  readonly performanceState: string;
  readonly computeMode: string;
  /** By Telegraf's names and ours, see nvidia-fields.ts. What the card does not have is missing. */
  readonly fields: Readonly<Fields>;
  readonly slices: readonly MigSlice[];
  readonly processes: readonly CardProcess[];
  /** What should be there and could not be read, by field, in the tool's words. */
  readonly unreadable: Readonly<Record<string, string>>;
  /** Values that make no sense, by field. */
  readonly strange: Readonly<Record<string, string>>;
}

export interface NvidiaLog {
  readonly driverVersion: string | undefined;
  readonly cudaVersion: string | undefined;
  /** How many cards the tool says there are; it may tell of fewer. */
  readonly attached: number | undefined;
  readonly cards: readonly Card[];
}

const readers: Readonly<Record<string, (text: string) => Reading>> = { words: readWords, truth: readTruth };

/** Reads a place. An element that holds no elements where some belong says why: `<remapped_rows>GPU is lost`. */
function readPlace(from: XmlElement, path: string, as: FieldPlace["as"]): Reading {
  const read = readers[as] ?? ((text: string) => readNumber(text, as as Exclude<typeof as, "words" | "truth">));
  const found = findElement(from, path);
  if (found !== undefined) return found.children.length > 0 ? { kind: "absent" } : read(found.text);
  const above = path.includes("/") ? findElement(from, path.slice(0, path.lastIndexOf("/"))) : undefined;
  const said = above === undefined || above.children.length > 0 ? undefined : readWords(above.text);
  return said?.kind === "unreadable" ? said : { kind: "absent" };
}

function addUp(parts: readonly Reading[]): Reading {
  const wrong = parts.find(({ kind }) => kind === "unreadable" || kind === "strange");
  if (wrong !== undefined) return wrong;
  const values = parts.flatMap((part) => (part.kind === "number" ? [part.value] : []));
  return values.length === 0 ? { kind: "absent" } : { kind: "number", value: values.reduce((a, b) => a + b, 0) };
}

function chooseReading(from: XmlElement, { paths, as, isSum = false }: FieldPlace): Reading {
  const readings = paths.map((path) => readPlace(from, path, as));
  if (isSum) return addUp(readings);
  const telling = readings.find(({ kind }) => kind === "number" || kind === "text");
  return telling ?? readings.find(({ kind }) => kind !== "absent") ?? { kind: "absent" };
}

interface Gathered {
  readonly fields: Fields;
  readonly unreadable: Record<string, string>;
  readonly strange: Record<string, string>;
}

function gather(from: XmlElement, places: readonly FieldPlace[]): Gathered {
  const gathered: Gathered = { fields: {}, unreadable: {}, strange: {} };
  for (const place of places) {
    const reading = chooseReading(from, place);
    if (reading.kind === "number") gathered.fields[place.field] = reading.value;
    else if (reading.kind === "text") gathered.fields[place.field] = reading.text;
    else if (reading.kind !== "absent") gathered[reading.kind][place.field] = reading.text;
  }
  return gathered;
}

function readText(from: XmlElement, path: string): string | undefined {
  const reading = readPlace(from, path, "words");
  return reading.kind === "text" ? reading.text : undefined;
}

function readCount(from: XmlElement, path: string): number | undefined {
  const reading = readPlace(from, path, "count");
  return reading.kind === "number" ? reading.value : undefined;
}

function readProcesses(card: XmlElement): CardProcess[] {
  return (findElement(card, "processes")?.children ?? []).flatMap((each) => {
    const pid = readCount(each, "pid");
    if (each.name !== "process_info" || pid === undefined) return [];
    const memory = readPlace(each, "used_memory", "MiB");
    return {
      pid,
      type: readText(each, "type") ?? "",
      name: readText(each, "process_name") ?? "",
      memory: memory.kind === "number" ? memory.value : undefined,
    };
  });
}

function readSlices(card: XmlElement): MigSlice[] {
  return (findElement(card, "mig_devices")?.children ?? []).flatMap((each) => {
    if (each.name !== "mig_device") return [];
    return {
      index: readText(each, "index") ?? "",
      gpuInstance: readText(each, "gpu_instance_id") ?? "",
      computeInstance: readText(each, "compute_instance_id") ?? "",
      fields: gather(each, migFields).fields,
    };
  });
}

function readCard(element: XmlElement, index: number): Card {
  return {
    index,
    uuid: readText(element, "uuid") ?? "",
    name: readText(element, "product_name") ?? "",
    address: readText(element, "pci/pci_bus_id") ?? element.attributes.id ?? "",
    architecture: readText(element, "product_architecture") ?? "",
    performanceState: readText(element, "performance_state") ?? "",
    computeMode: readText(element, "compute_mode") ?? "",
    slices: readSlices(element),
    processes: readProcesses(element),
    ...gather(element, cardFields),
  };
}

/**
 * Reads the tool's whole output.
 * @throws Error that says why it is none: cut off, garbled, or about something else
 */
export function parseNvidiaLog(text: string): NvidiaLog {
  const root = parseXml(cutElements(text, unreadElements));
  if (root.name !== "nvidia_smi_log") throw new Error(`a document of ${root.name.slice(0, 100)}, not of nvidia_smi_log`);
  return {
    driverVersion: readText(root, "driver_version"),
    cudaVersion: readText(root, "cuda_version"),
    attached: readCount(root, "attached_gpus"),
    cards: root.children.filter(({ name }) => name === "gpu").map(readCard),
  };
}

/** Whether a card can't be reached any more: the driver still counts it, and can't read it. */
export function isLost({ unreadable }: Pick<Card, "unreadable">): boolean {
  return Object.values(unreadable).some((words) => /lost|requires reset|reset required/i.test(words));
}
