import fc from 'fast-check';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/base/index.ts';
import type { Tailwater } from '../../src/index.ts';
import { arrowStream, ndjsonLines, type ScanRequest } from '../../src/snapshot/index.ts';

export type Step = { kind: 'write'; values: JsonObject[] } | { kind: 'delete'; id: string } | { kind: 'compact' };

const id = fc.nat(9).map(number => `k${number}`);

/** Fields that change their type, widen, come late, are null or missing, nest, and need escapes. */
const value: fc.Arbitrary<JsonObject> = fc.record(
  {
    id,
    n: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -5, max: 5 }) },
      fc.constantFrom<JsonValue>(2.5, null, 'seven', 2 ** 53),
    ),
    tag: fc.constantFrom<JsonValue>('red', 'blue', "it's", '🦑"\\', '', null, 7),
    ok: fc.constantFrom<JsonValue>(true, false, null),
    meta: fc.constantFrom<JsonValue>({ a: 1, deep: [1, { b: null }] }, [1, 2], null, 'text'),
    late: fc.constantFrom<JsonValue>(null, 1.25, 3),
  },
  { requiredKeys: ['id'] },
);

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('write' as const), values: fc.array(value, { minLength: 1, maxLength: 5 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), id }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'compact' as const }) },
  ),
  { minLength: 3, maxLength: 12 },
);

/** What was written, as a list; what every scan is held against. */
export class Written {
  readonly kind: 'append' | 'upsert';
  readonly log: { id: string; value: JsonObject | null }[] = [];

  constructor(kind: 'append' | 'upsert') {
    this.kind = kind;
  }

  /** The rows of the first `length` records, in the order of the log. */
  rows(length = this.log.length): JsonObject[] {
    const log = this.log.slice(0, length);
    const isRow = (at: number): boolean => this.kind === 'append' || !log.slice(at + 1).some(later => later.id === log[at].id);
    return log.filter((record, at) => record.value !== null && isRow(at)).map(record => record.value!);
  }
}

export async function take(tailwater: Tailwater, written: Written, step: Step): Promise<string | null> {
  if (step.kind === 'compact') {
    await tailwater.compact('rows');
    return null;
  }
  if (step.kind === 'delete') {
    if (written.kind === 'append') return null;
    written.log.push({ id: step.id, value: null });
    return (await tailwater.deleteRow('rows', step.id)).token;
  }
  for (const each of step.values) written.log.push({ id: String(each.id), value: each });
  return (
    await tailwater.append(
      'rows',
      step.values.map(each => ({ value: each })),
    )
  ).token;
}

export interface Scanned {
  rows: JsonObject[];
  /** The stream after its schema, whose metadata tells the time. */
  arrow: string;
}

export async function scanned({ engine }: Tailwater, request: ScanRequest = {}): Promise<Scanned> {
  const lines: Uint8Array[] = [];
  for await (const part of ndjsonLines(await engine.scan('rows', request))) lines.push(part);
  const messages: Uint8Array[] = [];
  for await (const message of arrowStream(await engine.scan('rows', request))) messages.push(message);
  const text = Buffer.concat(lines).toString();
  const rows = text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as JsonObject);
  return { rows, arrow: Buffer.concat(messages.slice(1)).toString('base64') };
}

/** The value of a row, put together from its columns and what fits none; nulls and missing fields are the same there. */
export function writtenValue(row: JsonObject): JsonObject {
  const extra = isJsonObject(row._extra) ? row._extra : {};
  return withoutNulls({
    ...Object.fromEntries(Object.entries(row).filter(([name, cell]) => !name.startsWith('_') && cell !== null)),
    ...extra,
  });
}

export function withoutNulls(given: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(given).filter(([, cell]) => cell !== null));
}
