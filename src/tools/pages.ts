import {
  crc32c,
  fromBase64Url,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  TailwaterError,
  toBase64Url,
  utf8,
} from '../base/index.ts';
import { safeJson } from './safe-json.ts';

/** Where a page starts: after so many items of the answer at that instant. */
export interface PageStart {
  skip: number;
  asOf: string | null;
}

export interface Page {
  items: JsonValue[];
  /** Null on the last page. */
  cursor: string | null;
}

const FIRST_PAGE: PageStart = { skip: 0, asOf: null };
const PREVIEW_CHARS = 400;
/** Room for the members around the list. */
const CURSOR_BYTES = 2048;

/** Throws TW_BAD_TOKEN for a cursor that is none, or is of other arguments. */
export function pageStart(tool: string, args: JsonObject): PageStart {
  const { cursor, ...rest } = args;
  if (cursor === undefined) return FIRST_PAGE;
  const start = decoded(String(cursor));
  if (start === null || start.of !== fingerprint(tool, rest)) {
    throw new TailwaterError('TW_BAD_TOKEN', {
      detail: 'The cursor is not of this call. Send it exactly as it was returned, with the same arguments as before.',
      data: { field: 'cursor' },
    });
  }
  return { skip: start.skip, asOf: start.asOf };
}

/** As many items from `skip` on as fit, with the cursor of what is left. */
export function cutPage(
  tool: string,
  args: JsonObject,
  { items, skip, asOf }: { items: readonly JsonValue[]; skip: number; asOf: string | null },
  maxBytes: number,
): Page {
  const kept = fittingItems(items.slice(skip), maxBytes - CURSOR_BYTES);
  const next = skip + kept.length;
  if (next >= items.length) return { items: kept, cursor: null };
  const { cursor: _, ...rest } = args;
  return { items: kept, cursor: toBase64Url(utf8(JSON.stringify({ skip: next, asOf, of: fingerprint(tool, rest) }))) };
}

/** The first items that fit into `maxBytes` of JSON, at least one: an item that is too large by itself is cut. */
export function fittingItems(items: readonly JsonValue[], maxBytes: number): JsonValue[] {
  const kept: JsonValue[] = [];
  let room = maxBytes;
  for (const item of items) {
    const bytes = Buffer.byteLength(safeJson(item)) + 1;
    if (bytes > room && kept.length > 0) break;
    kept.push(bytes > room ? preview(item, bytes) : item);
    room -= bytes;
  }
  return kept;
}

/** Stands for an item that does not fit: how large it is, and how it begins. */
function preview(item: JsonValue, bytes: number): JsonObject {
  const begins = JSON.stringify(item).slice(0, PREVIEW_CHARS).toWellFormed();
  return { truncated: true, bytes, begins };
}

function fingerprint(tool: string, args: JsonObject): number {
  const sorted = Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1));
  return crc32c(utf8(JSON.stringify([tool, sorted])));
}

function decoded(cursor: string): (PageStart & { of: number }) | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(fromBase64Url(cursor)).toString());
    if (!isJsonObject(parsed)) return null;
    const { skip, asOf, of } = parsed;
    if (!Number.isSafeInteger(skip) || (skip as number) < 0 || (asOf !== null && typeof asOf !== 'string')) return null;
    return typeof of === 'number' ? { skip: skip as number, asOf, of } : null;
  } catch {
    return null;
  }
}
