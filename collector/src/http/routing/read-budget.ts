import { FleetmarkError } from "@fleetmark/shared/errors";

/**
 * What answers may take of the collector, so that whoever asks much holds up nobody who sends: so many questions at a
 * time, as many more that wait for a while, and so many bytes of answers that their readers have not taken yet.
 */
export interface ReadBudget {
  readonly limits: ReadLimits;
  running: number;
  /** Who waits for a turn, the longest first. */
  readonly waiting: (() => void)[];
  /** Bytes of answers on their way. */
  unread: number;
}

export interface ReadLimits {
  readonly running: number;
  readonly waiting: number;
  /** Milliseconds. */
  readonly patience: number;
  readonly unread: number;
}

export const readLimits: ReadLimits = { running: 2, waiting: 64, patience: 20_000, unread: 64 * 2 ** 20 };

export function createReadBudget(limits: ReadLimits = readLimits): ReadBudget {
  return { limits, running: 0, waiting: [], unread: 0 };
}

function refuse(message: string): never {
  throw new FleetmarkError("READS_TOO_MANY", message);
}

function awaitTurn({ waiting, limits }: ReadBudget): Promise<void> {
  if (waiting.length >= limits.waiting) refuse(`${waiting.length} questions wait already`);
  return new Promise((resolve, reject) => {
    const take = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(take), 1);
      reject(new FleetmarkError("READS_TOO_MANY", `no turn came within ${limits.patience / 1000} s`));
    }, limits.patience);
    waiting.push(take);
  });
}

/**
 * Asks when there is a turn for it.
 * @throws FleetmarkError READS_TOO_MANY
 */
export async function askInTurn<T>(budget: ReadBudget, ask: () => Promise<T>): Promise<T> {
  const { limits, waiting } = budget;
  if (budget.unread > limits.unread) refuse(`${budget.unread} bytes of answers wait for their readers`);
  if (budget.running >= limits.running) await awaitTurn(budget);
  else budget.running++;
  try {
    return await ask();
  } finally {
    // The turn goes on to who waits longest.
    const next = waiting.shift();
    if (next === undefined) budget.running--;
    else next();
  }
}

/** Counts the bytes of an answer, as many calls as it takes, until its reader has taken all of it or is gone. */
export function followUnread(
  budget: ReadBudget,
  response: { once(event: "close", act: () => void): unknown },
): (bytes: number) => void {
  let counted = 0;
  let isOver = false;
  response.once("close", () => {
    isOver = true;
    budget.unread -= counted;
  });
  return (bytes) => {
    if (isOver) return;
    counted += bytes;
    budget.unread += bytes;
  };
}
