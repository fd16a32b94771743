/** The best `limit` of many candidates: a bounded heap with the worst on top. Equal goodness: the higher ordinal is better. */
export class TopHits {
  readonly #limit: number;
  readonly #goodness: number[] = [];
  readonly #ordinals: number[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Candidates below this cannot enter. */
  get floor(): number {
    return this.#goodness.length < this.#limit ? Number.NEGATIVE_INFINITY : this.#goodness[0];
  }

  wouldEnter(goodness: number, ordinal: number): boolean {
    if (this.#goodness.length < this.#limit) return true;
    return this.#limit > 0 && !precedes(goodness, ordinal, this.#goodness[0], this.#ordinals[0]);
  }

  add(goodness: number, ordinal: number): void {
    if (this.#goodness.length < this.#limit) {
      this.#goodness.push(goodness);
      this.#ordinals.push(ordinal);
      this.#siftUp(goodness, ordinal);
    } else {
      this.#siftDown(goodness, ordinal);
    }
  }

  /** Best first. */
  sorted(): { ordinal: number; goodness: number }[] {
    const hits = this.#ordinals.map((ordinal, index) => ({ ordinal, goodness: this.#goodness[index] }));
    return hits.sort((a, b) => b.goodness - a.goodness || b.ordinal - a.ordinal);
  }

  #siftUp(goodness: number, ordinal: number): void {
    let at = this.#goodness.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!precedes(goodness, ordinal, this.#goodness[parent], this.#ordinals[parent])) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(at, goodness, ordinal);
  }

  #siftDown(goodness: number, ordinal: number): void {
    const size = this.#goodness.length;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && this.#precedesAt(child + 1, child)) child++;
      if (!precedes(this.#goodness[child], this.#ordinals[child], goodness, ordinal)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, goodness, ordinal);
  }

  #precedesAt(a: number, b: number): boolean {
    return precedes(this.#goodness[a], this.#ordinals[a], this.#goodness[b], this.#ordinals[b]);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#goodness[from], this.#ordinals[from]);
  }

  #put(at: number, goodness: number, ordinal: number): void {
    this.#goodness[at] = goodness;
    this.#ordinals[at] = ordinal;
  }
}

/** Whether the first candidate is worse. */
function precedes(goodness: number, ordinal: number, otherGoodness: number, otherOrdinal: number): boolean {
  return goodness < otherGoodness || (goodness === otherGoodness && ordinal < otherOrdinal);
}
