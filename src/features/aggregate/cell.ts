import type { JsonValue } from '../../base/index.ts';
import type { Aggregation, Fold, Input } from './fold.ts';

/** The state of one aggregation with how many events count in it, and the time of the newest of them. */
export class Cell {
  count = 0;
  newestMs = Number.NEGATIVE_INFINITY;
  readonly fold: Fold;

  constructor(fold: Fold) {
    this.fold = fold;
  }

  add(input: Input, timeMs: number, seq: number): void {
    this.count++;
    if (timeMs > this.newestMs) this.newestMs = timeMs;
    this.fold.add(input, timeMs, seq);
  }

  merge(other: Cell): void {
    if (other.count === 0) return;
    this.count += other.count;
    if (other.newestMs > this.newestMs) this.newestMs = other.newestMs;
    this.fold.merge(other.fold);
  }

  encode(): JsonValue {
    return this.count === 0 ? null : [this.count, this.newestMs, this.fold.encode()];
  }

  static restore(aggregation: Aggregation, encoded: JsonValue): Cell {
    if (encoded === null) return new Cell(aggregation.create());
    const [count, newestMs, fold] = encoded as [number, number, JsonValue];
    const cell = new Cell(aggregation.restore(fold));
    cell.count = count;
    cell.newestMs = newestMs;
    return cell;
  }
}
