/** What BM25 must know about a set of documents. Statistics of disjoint sets add up, field by field. */
export interface CorpusStatistics {
  documents: number;
  /** Terms over all documents, repetitions counted. */
  tokens: number;
  /** Per query term, in its order: documents that contain it. */
  frequencies: readonly number[];
}

export interface Bm25Parameters {
  /** How slowly repetitions of a term saturate. */
  k1: number;
  /** 0: length does not matter; 1: scores are fully normalised by length. */
  b: number;
}

/** Within the usual range (k1 1.2-2.0, b 0.75); the upper part of it suits documents of a paragraph and more. */
export const BM25_DEFAULTS: Bm25Parameters = { k1: 1.8, b: 0.75 };

/**
 * Okapi BM25 (Robertson and Zaragoza 2009) with Lucene's idf, ln(1 + (N - df + 0.5) / (df + 0.5)), which is never negative.
 * One instance scores the documents of every source, so that tail and table rank as one corpus.
 */
export class Bm25 {
  readonly #weights: Float64Array;
  readonly #flat: number;
  readonly #perToken: number;

  constructor(statistics: CorpusStatistics, parameters: Bm25Parameters = BM25_DEFAULTS) {
    const { documents, tokens, frequencies } = statistics;
    const averageLength = tokens > 0 ? tokens / documents : 1;
    this.#flat = parameters.k1 * (1 - parameters.b);
    this.#perToken = (parameters.k1 * parameters.b) / averageLength;
    this.#weights = Float64Array.from(frequencies, frequency => inverseFrequency(documents, frequency) * (parameters.k1 + 1));
  }

  /** The score of a document of `length` terms in which query term i occurs `termFrequencies[i]` times. */
  score(termFrequencies: ArrayLike<number>, length: number): number {
    let score = 0;
    for (let term = 0; term < this.#weights.length; term++) {
      if (termFrequencies[term] > 0) score += this.termScore(term, termFrequencies[term], length);
    }
    return score;
  }

  /** The part of one term in the score; `score` is the sum of these in the order of the terms. */
  termScore(term: number, frequency: number, length: number): number {
    return (this.#weights[term] * frequency) / (frequency + this.#flat + this.#perToken * length);
  }
}

function inverseFrequency(documents: number, frequency: number): number {
  return Math.log(1 + (Math.max(documents, frequency) - frequency + 0.5) / (frequency + 0.5));
}
