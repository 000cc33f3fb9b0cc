import type { Result } from "../model/result.js";
import { keepBestLevel } from "./expectation.js";
import { measureMove } from "./result-move.js";

/** The rolling baseline is made of so many results at most. */
const mostResults = 20;
/** So many results are taken as they are: there is nothing to judge them by. */
const fewestResults = 3;
/** So many results in a row that moved alike are a level; fewer, from which the benchmark came back, are its noise. */
const fewestOfLevel = 3;

/** What a benchmark is compared with, and since when it has been otherwise. */
export interface RollingBaseline {
  /** In order of time. */
  readonly results: readonly Result[];
  /** The results at the end that were all slower than it, and those that were all faster. */
  readonly slower: readonly Result[];
  readonly faster: readonly Result[];
}

/**
 * Rolls a baseline over results as they came: each is judged by those before it. What is slower does not enter, unless
 * the benchmark came back from it at once, so that a regression stays one for as long as it lasts; three in a row that
 * are faster begin anew.
 * @param results of one benchmark in order of time
 * @param confidence at which a result is called
 */
export function rollBaseline(results: readonly Result[], confidence: number): RollingBaseline {
  let kept: Result[] = [];
  let slower: Result[] = [];
  let faster: Result[] = [];
  const takeBack = (moved: readonly Result[]): void => {
    if (moved.length < fewestOfLevel) kept.push(...moved);
  };
  for (const result of results) {
    const isKnown = kept.length >= fewestResults;
    const verdict = isKnown ? measureMove(result, kept.slice(-mostResults), confidence).verdict : "unchanged";
    if (verdict !== "regressed") {
      takeBack(slower);
      slower = [];
    }
    if (verdict !== "improved") {
      takeBack(faster);
      faster = [];
    }
    if (verdict === "regressed") slower.push(result);
    else if (verdict === "improved") faster.push(result);
    else kept.push(result);
    if (faster.length === fewestOfLevel) [kept, faster] = [faster, []];
  }
  return { results: keepBestLevel(kept).slice(-mostResults), slower, faster };
}
