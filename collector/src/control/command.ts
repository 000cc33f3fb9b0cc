import type { ErrorCode } from "@fleetmark/shared/errors";

/** What a host is to do. */
export interface CommandRequest {
  /** A name of the catalogue of commands, which says what the arguments are. */
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Seconds within which the result is to come. */
  readonly timeout: number;
  /** Who asks, for the record. */
  readonly by?: string;
  readonly campaign?: string;
  /** Default: a new one. Who gives the same id again asks for nothing new. */
  readonly id?: string;
}

/** What became of a command, by the agent's word. */
export type CommandOutcome =
  | { readonly done: true; readonly result: Readonly<Record<string, unknown>> }
  | { readonly done: false; readonly code: ErrorCode; readonly message: string };
