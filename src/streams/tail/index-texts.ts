import type { JsonValue } from '../../base/index.ts';
import type { StreamDefinition } from '../definition.ts';
import type { SegmentBatch } from '../segment-types.ts';
import { analyze } from '../text/analyze.ts';
import { embedText, searchText } from '../text/record-text.ts';
import type { TailChunk } from './chunk.ts';
import { ROW } from './row-flags.ts';
import { parsedValue } from './tail-snapshot.ts';

/** Indexes the texts of the chunk's newest piece and marks its rows to embed. `parsed` are the values of its batch, when they are known. */
export function indexTexts(definition: StreamDefinition, chunk: TailChunk, parsed: SegmentBatch['parsed']): void {
  if (definition.search === null && definition.embed === null) return;
  const { index, row: firstRow, batch } = chunk.pieces[chunk.pieces.length - 1];
  const { bytes, valueStart, valueEnd } = batch.batch;
  for (let row = firstRow; row < chunk.count; row++) {
    if ((chunk.flags[row] & ROW.tombstone) !== 0) continue;
    const at = index + row - firstRow;
    const value = parsed?.[at] ?? readValue(bytes.subarray(valueStart[at], valueEnd[at]));
    const text = searchText(definition, value);
    if (text !== null) chunk.addText(row, analyze(text));
    if (embedText(definition, value) !== null) chunk.addEmbeddable(row);
  }
}

/** A value that is no JSON has neither text nor vector; it stays readable as bytes. */
export function readValue(value: Uint8Array): JsonValue {
  try {
    return parsedValue(value);
  } catch {
    return null;
  }
}
