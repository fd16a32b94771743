import { utf8 } from '../../base/index.ts';
import { HashCounter } from './counted-hashes.ts';
import type { StatisticsLayer } from './layer.ts';
import { murmur128 } from './murmur.ts';

interface TermCount {
  rows: number;
  lastDocument: number;
}

/** Adds up what rows that enter a table (sign 1) and rows that leave it (sign -1) change in its statistics. */
export class StatisticsCollector {
  readonly #terms = new Map<string, TermCount>();
  readonly #keys = new HashCounter();
  readonly #hash = new Uint32Array(4);
  #documents = 0;
  #tokens = 0;
  #visited = 0;

  /** The analyzed terms of one row's text, repeats included. A row with a text is a document, even one without terms, as in the tail. */
  addText(terms: readonly string[], sign: 1 | -1): void {
    this.#documents += sign;
    this.#tokens += sign * terms.length;
    const document = ++this.#visited;
    for (const term of terms) this.#countOnce(term, document, sign);
  }

  addKey(key: Uint8Array, sign: 1 | -1): void {
    murmur128(key, this.#hash);
    this.#keys.add(this.#hash[0], this.#hash[1], sign);
  }

  finish(): StatisticsLayer {
    const terms = new HashCounter();
    for (const [term, count] of this.#terms) {
      murmur128(utf8(term), this.#hash);
      terms.add(this.#hash[0], this.#hash[1], count.rows);
    }
    return { documents: this.#documents, tokens: this.#tokens, terms: terms.finish(), keys: this.#keys.finish() };
  }

  /** One map access per token: the entry remembers the last document it counted. */
  #countOnce(term: string, document: number, sign: 1 | -1): void {
    const known = this.#terms.get(term);
    if (known === undefined) {
      this.#terms.set(term, { rows: sign, lastDocument: document });
    } else if (known.lastDocument !== document) {
      known.lastDocument = document;
      known.rows += sign;
    }
  }
}
