import type { Point } from "@fleetmark/shared/model/series";

/**
 * What every simulated host measures each time: `groups` points of `fields` numbers, and one text in the last of them.
 */
export interface Shape {
  readonly groups: number;
  readonly fields: number;
}

export const loadMeasurement = "load";
export const textField = "note";

/** Mixes 32-bit words into one (the finaliser of MurmurHash3, Appleby 2011). */
function mix(hash: number, word: number): number {
  let h = Math.imul(hash ^ word, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashName(seed: number, name: string): number {
  let hash = mix(0x9e3779b9, seed);
  for (let i = 0; i < name.length; i++) hash = mix(hash, name.charCodeAt(i));
  return hash;
}

/** Two words that depend on all that names a sample. */
function hashSample(seed: number, host: string, group: number, field: number, timeUs: number): [number, number] {
  const high = Math.floor(timeUs / 2 ** 32);
  const low = timeUs >>> 0;
  let hash = mix(mix(hashName(seed, host), group), field);
  hash = mix(mix(hash, high), low);
  return [hash, mix(hash, 0x27d4eb2f)];
}

/** The one value that this sample can have: what a store holds for it is unchanged only if it is this. */
export function makeNumber(seed: number, host: string, group: number, field: number, timeUs: number): number {
  const [high, low] = hashSample(seed, host, group, field, timeUs);
  return (high - 2 ** 31) / 1000 + low / 2 ** 32;
}

/** As makeNumber, with the characters that a line protocol or a query has to escape. */
export function makeText(seed: number, host: string, group: number, timeUs: number): string {
  const [high, low] = hashSample(seed, host, group, -1, timeUs);
  return `${high.toString(36)} "quoted", a=b \\ ${low.toString(36)} µ`;
}

export function groupTag(group: number): string {
  return `g ${group}`;
}

/** All points of one host at one moment. */
export function makePoints(seed: number, host: string, shape: Shape, timeUs: number): Point[] {
  return Array.from({ length: shape.groups }, (_, group) => {
    const fields: Record<string, number | string> = {};
    for (let field = 0; field < shape.fields; field++) fields[`f${field}`] = makeNumber(seed, host, group, field, timeUs);
    if (group === shape.groups - 1) fields[textField] = makeText(seed, host, group, timeUs);
    return { measurement: loadMeasurement, tags: { group: groupTag(group) }, timeUs, fields };
  });
}

/** How many samples the point of a group holds. */
export function countSamples(shape: Shape, group: number): number {
  return shape.fields + (group === shape.groups - 1 ? 1 : 0);
}
