import { isJsonObject, type JsonValue } from '../../src/base/index.ts';
import { analyze, BM25_DEFAULTS, type CorpusStatistics, type Segment } from '../../src/streams/index.ts';
import type { Written } from './tail-streams.ts';

/** A record as the model keeps it: nothing is derived ahead of time. */
export interface ModelRecord extends Written {
  segment: number;
  seq: number;
  offset: number;
  vector: number[] | null;
}

/** What a tail and its snapshots should say, computed from a plain list of records each time. */
export class TailModel {
  records: ModelRecord[] = [];
  readonly #offsets: number[] = [];

  append(segment: Segment, written: readonly Written[]): void {
    written.forEach((record, index) => {
      const offset = this.#offsets[record.partition] ?? 0;
      this.#offsets[record.partition] = offset + 1;
      this.records.push({ ...record, segment: segment.seq, seq: segment.seq * 65_536 + index, offset, vector: null });
    });
  }

  cut(after: number, through: number, upsert: boolean): ModelCut {
    return new ModelCut(
      this.records.filter(({ segment }) => segment > after && segment <= through),
      upsert,
    );
  }
}

export class ModelCut {
  readonly records: ModelRecord[];
  readonly #upsert: boolean;

  constructor(records: ModelRecord[], upsert: boolean) {
    this.records = records;
    this.#upsert = upsert;
  }

  /** Newest first. */
  winners(): ModelRecord[] {
    const seen = new Set<string>();
    const winners: ModelRecord[] = [];
    for (const record of this.records.toReversed()) {
      if (this.#upsert && record.key !== null) {
        if (seen.has(record.key)) continue;
        seen.add(record.key);
      }
      if (record.value !== null) winners.push(record);
    }
    return winners;
  }

  newestOf(key: string): ModelRecord | undefined {
    return this.#upsert ? this.records.findLast(record => record.key === key) : undefined;
  }

  keys(): string[] {
    const keys = this.records.flatMap(({ key }) => (key === null ? [] : [key]));
    return this.#upsert ? [...new Set(keys)].sort() : [];
  }

  heads(partitions: number): number[] {
    return Array.from({ length: partitions }, (_, partition) =>
      this.records.reduce((head, record) => (record.partition === partition ? record.offset : head), -1),
    );
  }

  statistics(terms: readonly string[]): CorpusStatistics {
    const documents = this.winners().flatMap(({ value }) => (textOf(value) === null ? [] : [analyze(textOf(value)!)]));
    return {
      documents: documents.length,
      tokens: documents.reduce((sum, document) => sum + document.length, 0),
      frequencies: terms.map(term => documents.filter(document => document.includes(term)).length),
    };
  }

  /** Every winner with any of the terms, newest first. Documents of one `shape` score exactly alike; others may differ by rounding only. */
  textHits(terms: readonly string[]): { seq: number; score: number; shape: string }[] {
    const { documents, tokens, frequencies } = this.statistics(terms);
    const { k1, b } = BM25_DEFAULTS;
    return this.winners().flatMap(({ seq, value }) => {
      const document = analyze(textOf(value) ?? '');
      const counts = terms.map(term => document.filter(candidate => candidate === term).length);
      if (!counts.some(count => count > 0)) return [];
      const parts = counts.map((tf, index) => {
        const idf = Math.log(1 + (documents - frequencies[index] + 0.5) / (frequencies[index] + 0.5));
        return (idf * tf * (k1 + 1)) / (tf + k1 * (1 - b + (b * document.length * documents) / tokens));
      });
      return [{ seq, score: parts.reduce((sum, part) => sum + part, 0), shape: `${counts} of ${document.length}` }];
    });
  }

  /** The distance of every winner that has a vector, by seq. */
  distances(query: readonly number[]): Map<number, number> {
    return new Map(this.winners().flatMap(({ seq, vector }) => (vector === null ? [] : [[seq, cosineDistance(vector, query)]])));
  }

  missingVectors(): number {
    return this.winners().filter(({ value, vector }) => noteOf(value) !== null && vector === null).length;
  }
}

/** Search text: the field `text`. */
function textOf(value: JsonValue): string | null {
  return isJsonObject(value) && typeof value.text === 'string' && value.text !== '' ? value.text : null;
}

/** Text to embed: the field `note`. */
export function noteOf(value: JsonValue): string | null {
  return isJsonObject(value) && typeof value.note === 'string' && value.note !== '' ? value.note : null;
}

function cosineDistance(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, part, index) => sum + part * b[index], 0);
  const lengths = Math.hypot(...a) * Math.hypot(...b);
  return lengths === 0 ? 1 : 1 - dot / lengths;
}
