import { createHash } from "node:crypto";
import { cpus, hostname } from "node:os";
import { findArmPart } from "./arm-parts.js";
import type { HostView } from "./host-view.js";

/*
 * What a CPU is called, by the forms that /proc/cpuinfo has (`show_cpuinfo` of each architecture in Linux):
 *
 *   x86, LoongArch   model name : AMD EPYC 7763 64-Core Processor
 *   ARM              CPU implementer : 0x41, CPU part : 0xd40; several parts where cores differ
 *   RISC-V           uarch : sifive,u74-mc, or mvendorid and marchid, or isa alone
 *   POWER            cpu : POWER9 (architected), altivec supported
 *   s390x            processor 0: version = FF,  identification = 0133E8,  machine = 3906
 *
 * Where it tells nothing, the name that Node has stands, and after that what tells this host from all others: two
 * unknown machines are not alike.
 */

/** Returns the values of a key, in order. */
function listValues(cpuinfo: string, key: string): string[] {
  const line = new RegExp(`^${key}[ \\t]*:[ \\t]*(\\S.*?)[ \\t\\r]*$`, "gim");
  return [...cpuinfo.matchAll(line)].map(([, value]) => value);
}

/** Whether a name tells anything. */
function isTelling(name: string | undefined): name is string {
  return name !== undefined && /[a-z0-9]/i.test(name) && !/^[\s-]*(unknown|n\/?a|none|not specified|0+)?[\s-]*$/i.test(name);
}

const shorten = (name: string): string => name.replaceAll(/\s+/g, " ").trim().slice(0, 100);

/** Counts how often each occurs, in the order of their names. */
function countEach(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** @param known what Node calls the first core */
function nameArm(cpuinfo: string, known: string | undefined): string | undefined {
  const parts = listValues(cpuinfo, "CPU part");
  const implementers = listValues(cpuinfo, "CPU implementer");
  const ids = parts.flatMap((part, i) => {
    const implementer = implementers[i] ?? implementers[0];
    const isValid = /^0x[0-9a-f]+$/i.test(part) && /^0x[0-9a-f]+$/i.test(implementer ?? "");
    return isValid ? [`${implementer.toLowerCase()} ${part.toLowerCase()}`] : [];
  });
  const kinds = countEach(ids).map(([id, count]): [string, number] => {
    const [implementer, part] = id.split(" ");
    return [findArmPart(implementer, part) ?? `arm-${implementer}-${part}`, count];
  });
  if (kinds.length === 0) return undefined;
  if (kinds.length > 1) return kinds.map(([name, count]) => `${count}x${name}`).join(" ");
  const [[name]] = kinds;
  return name.startsWith("arm-0x") && isTelling(known) ? known : name;
}

function nameRiscV(cpuinfo: string): string | undefined {
  const microarchitectures = countEach(listValues(cpuinfo, "uarch").filter(isTelling)).map(([name]) => name);
  if (microarchitectures.length > 0) return `RISC-V ${microarchitectures.join(" ")}`;
  const [vendor, architecture] = ["mvendorid", "marchid"].map((key) => listValues(cpuinfo, key)[0]);
  const isKnown = /^0x0*[1-9a-f]/i.test(vendor ?? "");
  if (isKnown) return `RISC-V ${vendor} ${architecture ?? ""}`.trim();
  const [isa] = listValues(cpuinfo, "isa");
  return /^rv\d+/i.test(isa ?? "") ? `RISC-V ${isa}` : undefined;
}

function nameMainframe(cpuinfo: string): string | undefined {
  const machine = /^processor\s+\d+:.*\bmachine = (\w+)/m.exec(cpuinfo)?.[1];
  return machine === undefined ? undefined : `IBM/S390 machine ${machine}`;
}

/** An x86 CPU without a name, by what else tells it from others. */
function nameByFamily(cpuinfo: string): string | undefined {
  const keys = ["vendor_id", "cpu family", "model", "stepping"];
  const values = keys.map((key) => listValues(cpuinfo, key)[0]);
  return values[0] === undefined || values[1] === undefined ? undefined : values.filter(isTelling).join(" ");
}

function nameUnknown(view: HostView): string {
  const identity = view.read("/etc/machine-id") || hostname();
  return `unknown ${view.architecture} ${createHash("sha256").update(identity).digest("hex").slice(0, 8)}`;
}

/** @param known what Node calls the first core */
export function readCpuModel(view: HostView, known: string | undefined = cpus()[0]?.model): string {
  const cpuinfo = view.read("/proc/cpuinfo") ?? "";
  const first = (key: string): string | undefined => listValues(cpuinfo, key)[0];
  const names = [
    nameArm(cpuinfo, known),
    first("model name"),
    nameRiscV(cpuinfo),
    nameMainframe(cpuinfo),
    known,
    first("cpu"),
    first("cpu model"),
    nameByFamily(cpuinfo),
  ];
  return shorten(names.find(isTelling) ?? nameUnknown(view));
}
