/** Deliveries by key, in memory. Nearly every key has one delivery, which then stands for itself. */
export class KeyMap {
  readonly #deliveries = new Map<number, number | number[]>();

  /** How many different keys there are. */
  get size(): number {
    return this.#deliveries.size;
  }

  /** The deliveries under a key in the order they were added. */
  get(key: number): readonly number[] {
    const found = this.#deliveries.get(key);
    if (found === undefined) return NONE;
    return typeof found === "number" ? [found] : found;
  }

  add(key: number, delivery: number): void {
    const before = this.#deliveries.get(key);
    if (before === undefined) this.#deliveries.set(key, delivery);
    else if (typeof before === "number") this.#deliveries.set(key, [before, delivery]);
    else before.push(delivery);
  }

  /** The keys in ascending order. */
  sorted(): Float64Array {
    return Float64Array.from(this.#deliveries.keys()).sort();
  }
}

const NONE: readonly number[] = [];
