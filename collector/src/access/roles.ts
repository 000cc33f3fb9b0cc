/** What a caller may do, each also what those before it may: ask, start and stop runs, and change who may do what. */
export const roles = ["read", "operate", "admin"] as const;

export type Role = (typeof roles)[number];

/** Whether a role includes another. */
export function includesRole(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

/** Who sent a request. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
}
