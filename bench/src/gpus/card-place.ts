/** A card that a benchmark is to run on. */
export interface CardPlace {
  /** As nvidia-smi numbers it: the device `gpu3` is the card 3. */
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
}

/** What a card is called in results. */
export function nameDevice({ index }: Pick<CardPlace, "index">): string {
  return `gpu${index}`;
}
