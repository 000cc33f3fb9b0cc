import type { Point } from "@fleetmark/shared/model/series";
import type { Chunk } from "../store/store.js";

/** One line or row of a file: a point, or what is none and why. */
export type FileItem =
  | { readonly number: number; readonly kind: Chunk["kind"]; readonly point: Point }
  | { readonly number: number; readonly reason: string; readonly text: string };
