/**
 * The door for those who only read what a collector has stored: neither its servers nor its links are loaded.
 */
export { openConfiguredReader } from "./store/engines/registry.js";
export { type HostRecord, readHosts } from "./store/hosts.js";
export { findResults } from "./store/run-records.js";
export type { StoreReader } from "./store/store.js";
