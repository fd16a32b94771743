import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse as parseCsv } from 'csv-parse';
import { isJsonObject, TailwaterError } from '../../base/index.ts';
import { mayHoldLongNumbers, parseExactly } from '../records/exact-json.ts';
import { sectionsOf } from './sections.ts';
import type { SourceFormat } from './source-file.ts';

/** The most a JSON or Markdown file may have: they are read whole. */
const MAX_WHOLE_BYTES = 256 * 1024 * 1024;
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/** A record of a file as one line of JSON, and the line of the source it begins at. */
export interface SourceRecord {
  json: string | Uint8Array;
  line: number;
}

export interface ReadOptions {
  name: string;
  format: SourceFormat;
  gzip: boolean;
}

/** Records of a file in its order; the same bytes give the same records. Memory is bounded. Throws TW_SOURCE with the line. */
export function readRecords(input: Readable, options: ReadOptions): AsyncIterable<SourceRecord> {
  const plain = options.gzip ? pipeThrough(input, createGunzip()) : input;
  switch (options.format) {
    case 'ndjson':
      return ndjsonLines(plain, options.name);
    case 'csv':
      return csvRecords(plain, options.name);
    case 'json':
      return jsonRecords(plain, options.name);
    case 'markdown':
    case 'text':
      return textRecords(plain, options);
  }
}

/** Errors of the source end the transformed stream too. */
function pipeThrough(input: Readable, transform: NodeJS.ReadWriteStream & Readable): Readable {
  input.once('error', error => transform.destroy(error));
  transform.once('close', () => input.destroy());
  return input.pipe(transform);
}

async function* ndjsonLines(input: Readable, name: string): AsyncGenerator<SourceRecord> {
  let rest: Buffer = Buffer.alloc(0);
  let line = 0;
  for await (const chunk of input) {
    const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE, at); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      line++;
      if (!isBlank(bytes, at, end)) yield { json: bytes.subarray(at, end), line };
      at = end + 1;
    }
    rest = bytes.subarray(at);
    if (rest.length > MAX_LINE_BYTES) throw tooLong(name, line + 1);
  }
  if (!isBlank(rest, 0, rest.length)) yield { json: rest, line: line + 1 };
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0x20 && bytes[at] !== 0x09 && bytes[at] !== 0x0d) return false;
  return true;
}

async function* csvRecords(input: Readable, name: string): AsyncGenerator<SourceRecord> {
  const parser = parseCsv({
    bom: true,
    columns: header => checkedHeader(header, name),
    info: true,
    skip_empty_lines: true,
    max_record_size: MAX_LINE_BYTES,
  });
  input.once('error', error => parser.destroy(error));
  input.pipe(parser);
  for await (const { record, info } of parser as AsyncIterable<{ record: Record<string, string>; info: { lines: number } }>) {
    const fields = Object.entries(record).map(([field, cell]) => `${JSON.stringify(field)}:${cellJson(cell)}`);
    yield { json: `{${fields.join(',')}}`, line: info.lines };
  }
}

function checkedHeader(header: string[], name: string): string[] {
  const twice = header.find((field, index) => header.indexOf(field) !== index);
  if (twice === undefined) return header;
  throw new TailwaterError('TW_SOURCE', { detail: `The header of ${name} names "${twice}" twice.` });
}

const INTEGER = /^-?(0|[1-9]\d{0,15})$/;
const DECIMAL = /^-?(0|[1-9]\d*)\.\d+$/;

/** Text unless writing it as a number, boolean or null would lose nothing: "007", "1.50" and long digits stay texts. */
function cellJson(cell: string): string {
  if (cell === '') return 'null';
  if (cell === 'true' || cell === 'false') return cell;
  if (INTEGER.test(cell) && String(Number(cell)) === cell) return cell;
  if (DECIMAL.test(cell) && String(Number(cell)) === cell) return cell;
  return JSON.stringify(cell);
}

/** An array of records, or one record. */
async function* jsonRecords(input: Readable, name: string): AsyncGenerator<SourceRecord> {
  const text = await wholeText(input, name);
  let parsed: unknown;
  try {
    parsed = mayHoldLongNumbers(text) ? parseExactly(text) : JSON.parse(text);
  } catch (error) {
    throw new TailwaterError('TW_SOURCE', { detail: `${name} is not JSON: ${(error as Error).message}.` });
  }
  const records: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  if (!isJsonObject(records[0]) && records.length > 0) {
    throw new TailwaterError('TW_SOURCE', { detail: `${name} is neither an object nor an array of objects.` });
  }
  for (const record of records) yield { json: JSON.stringify(record), line: 1 };
}

async function* textRecords(input: Readable, { name, format }: ReadOptions): AsyncGenerator<SourceRecord> {
  const text = await wholeText(input, name);
  for (const section of sectionsOf(text, name, format === 'markdown')) {
    const { line, ...fields } = section;
    yield { json: JSON.stringify({ ...fields, line }), line };
  }
}

async function wholeText(input: Readable, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.length;
    if (bytes > MAX_WHOLE_BYTES) {
      throw new TailwaterError('TW_SOURCE', {
        detail: `${name} has more than ${MAX_WHOLE_BYTES} bytes; split it, or use NDJSON.`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
}

function tooLong(name: string, line: number): TailwaterError {
  return new TailwaterError('TW_SOURCE', {
    detail: `Line ${line} of ${name} has more than ${MAX_LINE_BYTES} bytes. Is it NDJSON?`,
  });
}
