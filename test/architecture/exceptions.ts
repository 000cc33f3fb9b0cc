/**
 * What the rules of the structure do not hold for, each with its reason. An entry that is no longer needed fails the
 * test too.
 */

/** Functions that are longer than a screen: `path name`. */
export const longFunctions: Readonly<Record<string, string>> = {};

/** Folders that hold more files than one looks through at a glance. */
export const wideFolders: Readonly<Record<string, string>> = {};
