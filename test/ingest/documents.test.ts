import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JsonObject, systemClock, utf8 } from '../../src/base/index.ts';
import { cutDocument } from '../../src/embeddings/index.ts';
import {
  checkDocument,
  checkDocumentId,
  type DocumentInput,
  type DocumentPlan,
  type DocumentRow,
  documentRow,
  planDelete,
  planPut,
} from '../../src/ingest/index.ts';
import type { StreamRecord } from '../../src/streams/index.ts';
import { markdown } from '../server/documents-support.ts';

const CHUNKING = { chunkTokens: 32, overlapTokens: 8 };

/** Rows by key, as an upsert stream keeps them: the oracle of what a plan does. */
class Rows {
  readonly rows = new Map<string, JsonObject>();
  writes = 0;

  apply({ records }: DocumentPlan): void {
    const keys = records.map(record => record.key);
    expect(new Set(keys).size, 'no key twice in one segment').toBe(keys.length);
    for (const { key, value } of records) {
      if (value === null) expect(this.rows.delete(key), 'deletes what is there').toBe(true);
      else this.rows.set(key, value);
      this.writes++;
    }
  }

  document(id: string): DocumentRow | null {
    const value = this.rows.get(id);
    return value === undefined ? null : documentRow({ value: utf8(JSON.stringify(value)), offset: 0 } as StreamRecord);
  }
}

async function put(rows: Rows, id: string, input: DocumentInput): Promise<DocumentPlan> {
  const given = checkDocument(id, input, () => CHUNKING);
  const cut = await cutDocument(given.text, { ...CHUNKING, markdown: given.markdown }, systemClock);
  const plan = planPut(given, cut, rows.document(id));
  rows.apply(plan);
  return plan;
}

const input: fc.Arbitrary<DocumentInput> = fc.record(
  {
    markdown,
    title: fc.constantFrom('One', 'Two'),
    url: fc.constant('https://example.com'),
    metadata: fc.constantFrom({ a: 1 }, { a: 2 }),
  },
  { requiredKeys: ['markdown'] },
);

describe('the plan of a document', () => {
  test('leads from any version to exactly the rows of a first put, and writes no chunk that stays', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(input), { minLength: 1, maxLength: 5 }), async versions => {
        const rows = new Rows();
        await put(rows, 'other', { text: 'not touched' });
        const untouched = new Map(rows.rows);
        for (const version of versions) {
          const before = new Map(rows.rows);
          const current = rows.document('d');
          if (version === null) {
            if (current !== null) rows.apply(planDelete(current));
            expect(rows.rows).toEqual(untouched);
            continue;
          }
          const plan = await put(rows, 'd', version);
          for (const { key, value } of plan.records.slice(1)) expect(before.get(key)).not.toEqual(value);
          const fresh = new Rows();
          await put(fresh, 'd', version);
          expect(new Map([...untouched, ...fresh.rows])).toEqual(rows.rows);
          const { total, added, kept } = plan.chunks;
          expect([total, added + kept]).toEqual([fresh.rows.size - 1, total]);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('takes ids that are keys, and no others', () => {
    for (const id of ['a', 'a/b c.md', '日本', '👩‍🚀', '...', 'x'.repeat(512)]) expect(checkDocumentId(id)).toBe(id);
    for (const id of ['', '.', '..', 'a#b', 'a\nb', '\u0000', '\ud800', 'x'.repeat(513)]) {
      expect(() => checkDocumentId(id)).toThrow(expect.objectContaining({ code: 'TW_DOCUMENT_ID' }));
    }
  });

  test('of a format that is not known is refused, and of a row that is no document there is none', () => {
    const record = (value: object) => ({ value: utf8(JSON.stringify(value)), offset: 3 }) as StreamRecord;
    expect(() => documentRow(record({ manifest: { document: 'd', formatVersion: 2 } }))).toThrow(
      expect.objectContaining({ code: 'TW_FORMAT_TOO_NEW' }),
    );
    for (const value of [{}, [], { manifest: 1 }, { document: 'd', text: 'a' }]) expect(documentRow(record(value))).toBeNull();
  });
});
