import { closest, distance } from "fastest-levenshtein";

/** The known word that comes nearest to one that is not known. */
export interface Nearest {
  readonly word: string;
  /** Whether it is so near that it was probably meant. */
  readonly meant: boolean;
}

/**
 * What was probably meant by a word that is not among the known ones, of which there is at least one: what it is
 * short for, else what it misspells by two slips or a third of a long word, else what it makes longer. More would be
 * guessing. Case counts for nothing.
 */
export function findNearest(written: string, known: readonly string[]): Nearest {
  const text = written.toLowerCase();
  const plain = known.map((word) => word.toLowerCase());
  const pick = (words: readonly string[]) => closest(text, [...words]);
  const among = (words: readonly string[]) => (words.length === 0 ? undefined : pick(words));
  const misspelt = pick(plain);
  const found =
    among(text === "" ? [] : plain.filter((word) => word.startsWith(text))) ??
    (distance(text, misspelt) <= Math.max(2, Math.floor(text.length / 3)) ? misspelt : undefined) ??
    among(plain.filter((word) => text.startsWith(word)));
  return { word: known[plain.indexOf(found ?? misspelt)] ?? "", meant: found !== undefined };
}
