import { isUtf8 } from 'node:buffer';
import { fromUtf8, isJsonObject, type JsonValue } from '../../base/index.ts';
import type { TableColumn } from '../table-types.ts';
import { BoolBuilder, BytesBuilder, type ColumnBuilder, Int64Builder, NumberBuilder } from './builders.ts';
import { fitsInt64 } from './infer.ts';
import { LayoutWriter } from './layout.ts';
import * as scan from './scan.ts';
import type { Group, Leaf, Member, ValueTree } from './value-tree.ts';

/** What a value leaves beside its columns. */
export interface EncodedValue {
  /** A JSON object text, or null. */
  extra: string | null;
  layout: string | null;
  /** Whether columns, extra and layout give the same bytes again; otherwise the bytes must be kept. */
  exact: boolean;
}

/** Integers of up to 15 digits are exact in a double and read without a string. */
const FAST_DIGITS = 15;

type UserBuilder = BytesBuilder | Int64Builder | NumberBuilder | BoolBuilder;

/**
 * Takes values apart into columns, one row after the other, straight from their bytes. What the scanner does not take (white space
 * of its own style, escaped or doubled names, invalid text) goes through JSON.parse and keeps its bytes.
 */
export class ValueEncoder {
  readonly builders: UserBuilder[];
  readonly #tree: ValueTree;
  readonly #layout = new LayoutWriter();
  readonly #scans: scan.FieldScan[] = [];
  /** Per column, the row that set it last: finds doubled names. */
  readonly #seenRow: Int32Array;
  readonly #seenGroup: Int32Array;
  #bytes: Uint8Array = new Uint8Array(0);
  #row = 0;
  #style = scan.ANY_STYLE;
  #exact = true;

  constructor(tree: ValueTree, columns: readonly TableColumn[], rows: number) {
    this.#tree = tree;
    this.builders = columns.map(column => userBuilder(column.type, rows));
    this.#seenRow = new Int32Array(columns.length).fill(-1);
    this.#seenGroup = new Int32Array(tree.groups.length).fill(-1);
  }

  encode(row: number, value: Uint8Array): EncodedValue {
    const extra = this.#tryScan(row, value);
    if (extra !== undefined) {
      const spaced = this.#style === scan.SPACED;
      return { extra, layout: this.#exact ? this.#layout.finish(spaced) : null, exact: this.#exact };
    }
    this.#clear(row);
    const plain = plainText(value);
    if (plain === null) return { extra: null, layout: null, exact: false };
    const plainExtra = this.#tryScan(row, Buffer.from(plain));
    if (plainExtra === undefined) {
      this.#clear(row);
      return { extra: plain, layout: null, exact: false };
    }
    return { extra: plainExtra, layout: null, exact: false };
  }

  /** Undefined when the value is not for the scanner; the row may be half written then. */
  #tryScan(row: number, value: Uint8Array): string | null | undefined {
    this.#bytes = value;
    this.#row = row;
    this.#style = scan.ANY_STYLE;
    this.#exact = true;
    this.#layout.reset();
    const fields = this.#scanAt(0);
    if (!fields.scan(value, 0, value.length) || fields.end !== value.length) return undefined;
    if (fields.beyondAscii && !isUtf8(value)) return undefined;
    const extra = this.#group(this.#tree.root, fields, 0);
    if (extra !== undefined && this.#style === scan.UNEVEN) this.#exact = false;
    return extra;
  }

  #group(group: Group, fields: scan.FieldScan, depth: number): string | null | undefined {
    this.#noteStyle(fields.style);
    let extra: string | null = null;
    let extraNames: Set<string> | null = null;
    let hint = 0;
    for (let index = 0; index < fields.count; index++) {
      let member: Member | undefined = group.members[hint];
      if (member === undefined || !this.#nameIs(fields, index, member)) member = this.#memberNamed(group, fields, index);
      if (member !== undefined) hint = member.position + 1;
      const rest = this.#member(member, fields, index, depth);
      if (rest === undefined) return undefined;
      if (rest === null) continue;
      const name = this.#text(fields.nameStart[index] - 1, fields.nameEnd[index] + 1);
      extraNames ??= new Set();
      if (extraNames.has(name)) return undefined;
      extraNames.add(name);
      extra = extra === null ? `${name}:${rest}` : `${extra},${name}:${rest}`;
    }
    return extra === null ? null : `{${extra}}`;
  }

  /** What of a field belongs to `_extra`; null when nothing does. Undefined when its name occurs twice. */
  #member(member: Member | undefined, fields: scan.FieldScan, index: number, depth: number): string | null | undefined {
    if (member !== undefined) {
      const seen = member.kind === 'leaf' ? this.#seenRow : this.#seenGroup;
      const id = member.kind === 'leaf' ? member.column : member.id;
      if (seen[id] === this.#row) return undefined;
      seen[id] = this.#row;
      if (member.kind === 'leaf' && this.#leaf(member, fields, index)) return null;
      if (member.kind === 'group' && fields.kind[index] === scan.OBJECT) return this.#nested(member, fields, index, depth);
    }
    this.#layout.extra();
    return this.#text(fields.valueStart[index], fields.valueEnd[index]);
  }

  #nested(group: Group, fields: scan.FieldScan, index: number, depth: number): string | null | undefined {
    const inner = this.#scanAt(depth + 1);
    if (!inner.scan(this.#bytes, fields.valueStart[index], fields.valueEnd[index])) return undefined;
    this.#layout.enter(group.id);
    const extra = this.#group(group, inner, depth + 1);
    this.#layout.leave(inner.count === 0);
    return extra;
  }

  /** False: the value does not fit the column and belongs to `_extra`. */
  #leaf(leaf: Leaf, fields: scan.FieldScan, index: number): boolean {
    const kind = fields.kind[index];
    if (kind === scan.NULL) {
      this.#layout.null(leaf.column);
      return true;
    }
    return this.#put(leaf, kind, fields.valueStart[index], fields.valueEnd[index]);
  }

  #put(leaf: Leaf, kind: number, start: number, end: number): boolean {
    switch (leaf.type) {
      case 'string':
        return (kind === scan.PLAIN_STRING || kind === scan.ESCAPED_STRING) && this.#putString(leaf, kind, start, end);
      case 'int64':
      case 'float64':
        return kind === scan.NUMBER && this.#putNumber(leaf, start, end);
      case 'bool':
        if (kind !== scan.TRUE && kind !== scan.FALSE) return false;
        (this.builders[leaf.column] as BoolBuilder).set(this.#row, kind === scan.TRUE);
        break;
      case 'json':
        (this.builders[leaf.column] as BytesBuilder).set(this.#row, this.#bytes, start, end);
    }
    this.#layout.column(leaf.column);
    return true;
  }

  #putString(leaf: Leaf, kind: number, start: number, end: number): boolean {
    const builder = this.builders[leaf.column] as BytesBuilder;
    if (kind === scan.PLAIN_STRING) {
      builder.set(this.#row, this.#bytes, start + 1, end - 1);
    } else {
      const source = this.#text(start, end);
      const text: string = JSON.parse(source);
      if (!text.isWellFormed()) return false;
      if (JSON.stringify(text) !== source) this.#exact = false;
      builder.setText(this.#row, text);
    }
    this.#layout.column(leaf.column);
    return true;
  }

  #putNumber(leaf: Leaf, start: number, end: number): boolean {
    const digits = smallInteger(this.#bytes, start, end);
    if (digits !== undefined) {
      (this.builders[leaf.column] as Int64Builder | NumberBuilder).set(this.#row, digits);
      this.#layout.column(leaf.column);
      return true;
    }
    const source = this.#text(start, end);
    const value = Number(source);
    if (leaf.type === 'float64') (this.builders[leaf.column] as NumberBuilder).set(this.#row, value + 0);
    else if (!fitsInt64(value)) return false;
    else if (!Number.isSafeInteger(value) && isDigits(source)) {
      (this.builders[leaf.column] as Int64Builder).setBig(this.#row, BigInt(source));
      this.#layout.column(leaf.column);
      return true;
    } else (this.builders[leaf.column] as Int64Builder).setBig(this.#row, BigInt(value));
    this.#noteNumber(leaf, value, source);
    return true;
  }

  /** A number is printed again as JavaScript prints it, or with the ".0" that other languages add. */
  #noteNumber(leaf: Leaf, value: number, source: string): void {
    const printed = String(value);
    if (printed === source) this.#layout.column(leaf.column);
    else if (`${printed}.0` === source && Number.isSafeInteger(value)) this.#layout.fraction(leaf.column);
    else this.#exact = false;
  }

  #memberNamed(group: Group, fields: scan.FieldScan, index: number): Member | undefined {
    return group.byName.get(this.#text(fields.nameStart[index], fields.nameEnd[index]));
  }

  #nameIs(fields: scan.FieldScan, index: number, member: Member): boolean {
    const name = member.nameBytes;
    const start = fields.nameStart[index];
    if (name === null || fields.nameEnd[index] - start !== name.length) return false;
    for (let at = 0; at < name.length; at++) if (this.#bytes[start + at] !== name[at]) return false;
    return true;
  }

  #text(start: number, end: number): string {
    const { buffer, byteOffset } = this.#bytes;
    return Buffer.from(buffer, byteOffset + start, end - start).toString();
  }

  #noteStyle(style: number): void {
    if (style === scan.ANY_STYLE) return;
    if (this.#style === scan.ANY_STYLE) this.#style = style;
    else if (this.#style !== style) this.#style = scan.UNEVEN;
  }

  #scanAt(depth: number): scan.FieldScan {
    this.#scans[depth] ??= new scan.FieldScan();
    return this.#scans[depth];
  }

  #clear(row: number): void {
    for (const builder of this.builders) builder.clear(row);
    for (let column = 0; column < this.#seenRow.length; column++) if (this.#seenRow[column] === row) this.#seenRow[column] = -1;
    for (let group = 0; group < this.#seenGroup.length; group++) if (this.#seenGroup[group] === row) this.#seenGroup[group] = -1;
  }
}

function userBuilder(type: TableColumn['type'], rows: number): UserBuilder & ColumnBuilder {
  switch (type) {
    case 'bool':
      return new BoolBuilder(rows);
    case 'int64':
      return new Int64Builder(rows);
    case 'float64':
      return new NumberBuilder(new Float64Array(rows));
    default:
      return new BytesBuilder(rows, 32);
  }
}

/** JSON.rawJSON (ES2026) writes a text as it is; the compiler's library does not know it yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): JsonValue };

/**
 * The same object as JSON.stringify writes it, or null when the bytes are no JSON object. Infinity stays beyond every double. An object
 * too deep to be written again is only marked: filters treat whatever has an `_extra` as a possible match.
 */
function plainText(value: Uint8Array): string | null {
  let parsed: JsonValue;
  try {
    parsed = JSON.parse(fromUtf8(value));
  } catch {
    return null;
  }
  if (!isJsonObject(parsed)) return null;
  try {
    return JSON.stringify(parsed, finite);
  } catch {
    return '{"":null}';
  }
}

function finite(_name: string, value: JsonValue): JsonValue {
  if (value === Infinity) return rawJSON('1e999');
  return value === -Infinity ? rawJSON('-1e999') : value;
}

/** An integer of few digits; undefined when it needs a closer look, as "-0" does. */
function smallInteger(bytes: Uint8Array, start: number, end: number): number | undefined {
  const negative = bytes[start] === 0x2d;
  const first = negative ? start + 1 : start;
  if (end - first > FAST_DIGITS) return undefined;
  let value = 0;
  for (let at = first; at < end; at++) {
    const digit = bytes[at] - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (!negative) return value;
  return value === 0 ? undefined : -value;
}

function isDigits(source: string): boolean {
  return /^-?\d+$/.test(source);
}
