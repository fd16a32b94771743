import { hitId, type SearchAnswer, type SearchHit } from '../retrieval/index.ts';
import type { SqlAnswer, StreamPage } from '../snapshot/index.ts';
import type { StreamKind, StreamRecord } from '../streams/index.ts';
import type { AppendAnswer } from './api.ts';
import { isoTime, textOf, toApiHeaders, toApiKey } from './api-mapping.ts';
import type { EngineRow } from './engine-types.ts';

/**
 * The answers of the API as JSON text. Record values go in as the text they were sent as: parsing them and writing them again would
 * change numbers beyond 2^53, and costs more than everything else here. Tokens are URL-safe, so they need no escaping.
 */
export function encodeAppendAnswer(answer: AppendAnswer): string {
  const rejected = answer.rejected.length === 0 ? '[]' : JSON.stringify(answer.rejected);
  let partitions = '';
  for (const { partition, first, last } of answer.partitions) {
    if (partitions !== '') partitions += ',';
    partitions += `{"partition":${partition},"first":${first},"last":${last}}`;
  }
  return `{"token":"${answer.token}","accepted":${answer.accepted},"partitions":[${partitions}],"rejected":${rejected}}`;
}

export function encodeRecord(record: StreamRecord): string {
  return (
    `{"partition":${record.partition},"offset":${record.offset},"key":${JSON.stringify(toApiKey(record.key))}` +
    `,"time":"${isoTime(record.timeMs)}","ingestedAt":"${isoTime(record.ingestedAtMs)}"` +
    `,"headers":${encodeHeaders(record)},"value":${encodeValue(record)}}`
  );
}

export function encodeReadAnswer(page: StreamPage): string {
  let records = '';
  for (const record of page.records) records += records === '' ? encodeRecord(record) : `,${encodeRecord(record)}`;
  return `{"records":[${records}],"next":${page.next},"freshness":${JSON.stringify(page.freshness)},"token":"${page.token}"}`;
}

export function encodeQueryAnswer(answer: SearchAnswer, kind: StreamKind): string {
  let hits = '';
  for (const hit of answer.hits) hits += hits === '' ? encodeHit(hit, kind) : `,${encodeHit(hit, kind)}`;
  return `{"hits":[${hits}],"freshness":${JSON.stringify(answer.freshness)},"token":"${answer.token}"}`;
}

export function encodeRowAnswer(row: EngineRow): string {
  return (
    `{"record":${encodeRecord(row.record)},"tier":"${row.tier}"` +
    `,"freshness":${JSON.stringify(row.freshness)},"token":"${row.token}"}`
  );
}

export function encodeSqlAnswer({ columns, rows, freshness, token }: SqlAnswer): string {
  return (
    `{"columns":${JSON.stringify(columns)},"rows":[${rows.join(',')}]` +
    `,"freshness":${JSON.stringify(freshness)},"token":"${token}"}`
  );
}

function encodeHit(hit: SearchHit, kind: StreamKind): string {
  const { record } = hit;
  const source = hit.source === undefined ? '' : `,"source":${JSON.stringify(hit.source)}`;
  const value = hit.selected === undefined ? encodeValue(record) : JSON.stringify(hit.selected);
  return (
    `{"id":${JSON.stringify(hitId(record, kind))},"key":${JSON.stringify(toApiKey(record.key))}` +
    `,"partition":${record.partition},"offset":${record.offset},"score":${JSON.stringify(hit.score)},"tier":"${hit.tier}"` +
    `,"ageMs":${JSON.stringify(hit.ageMs)},"value":${value},"ranks":${JSON.stringify(hit.ranks)}${source}}`
  );
}

function encodeHeaders(record: StreamRecord): string {
  return record.headers.length === 0 ? '{}' : JSON.stringify(toApiHeaders(record));
}

function encodeValue(record: StreamRecord): string {
  return record.value === null ? 'null' : textOf(record.value);
}
