/**
 * Where on a server things are kept longer than telemetry, as retention policies of one database (1.x) or as buckets
 * that DBRP mappings make ones (2.x): `FROM "hourly"."cpu"` reads on both. Everything arrives under the database's
 * own, default policy too.
 */
export const policies = { hourly: "hourly", records: "records" } as const;
export type PolicyName = keyof typeof policies;

export function quoteName(name: string): string {
  return `"${name.replace(/["\\]/g, "\\$&")}"`;
}

export function quoteText(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&").replaceAll("\n", "\\n")}'`;
}

/** Names a measurement under the policy that keeps it; without one, under the default one. */
export function quoteSource(measurement: string, policy?: PolicyName): string {
  return policy === undefined ? quoteName(measurement) : `${quoteName(policies[policy])}.${quoteName(measurement)}`;
}
