import { TailwaterError } from '../../base/index.ts';
import type { Id, JsonMap } from '../iceberg/exact-json.ts';
import { has, idAt, integerAt, refuse, textAt } from './reading.ts';
import type { Metadata } from './types.ts';

/** The numbers that requirements name, and where the metadata have them. */
const NUMBERS: Readonly<Record<string, { member: string; of: (table: Metadata) => number }>> = {
  'assert-last-assigned-field-id': { member: 'last-assigned-field-id', of: table => table['last-column-id'] },
  'assert-current-schema-id': { member: 'current-schema-id', of: table => table['current-schema-id'] },
  'assert-last-assigned-partition-id': { member: 'last-assigned-partition-id', of: table => table['last-partition-id'] },
  'assert-default-spec-id': { member: 'default-spec-id', of: table => table['default-spec-id'] },
  'assert-default-sort-order-id': { member: 'default-sort-order-id', of: table => table['default-sort-order-id'] },
};

export function assertsCreation(requirements: readonly JsonMap[]): boolean {
  return requirements.some(each => each.type === 'assert-create');
}

/** TW_COMMIT_CONFLICT for the first that does not hold (of a creation: TW_TABLE_EXISTS), TW_BAD_REQUEST for one that is not known. */
export function checkRequirements(requirements: readonly JsonMap[], table: Metadata | null): void {
  for (const requirement of requirements) {
    const type = textAt(requirement, 'type');
    if (type === 'assert-create') {
      if (table !== null) throw new TailwaterError('TW_TABLE_EXISTS', { detail: 'The table exists already.' });
      continue;
    }
    const [expected, found] = comparison(type, requirement, table);
    if (expected !== found) throw conflict(`${type}: expected ${shown(expected)}, the table has ${shown(found)}.`);
  }
}

type Fact = Id | string | null;

function comparison(type: string, requirement: JsonMap, table: Metadata | null): [expected: Fact, found: Fact] {
  if (type === 'assert-table-uuid')
    return [textAt(requirement, 'uuid').toLowerCase(), table?.['table-uuid'].toLowerCase() ?? null];
  if (type === 'assert-ref-snapshot-id') {
    const ref = textAt(requirement, 'ref');
    const expected = has(requirement, 'snapshot-id') ? idAt(requirement, 'snapshot-id') : null;
    return [expected, refOf(table, ref)];
  }
  const number = Object.hasOwn(NUMBERS, type) ? NUMBERS[type] : refuse(`The requirement "${type.slice(0, 100)}" is not known.`);
  return [integerAt(requirement, number.member), table === null ? null : number.of(table)];
}

function refOf(table: Metadata | null, ref: string): Id | null {
  return table !== null && Object.hasOwn(table.refs, ref) ? table.refs[ref]['snapshot-id'] : null;
}

export function conflict(detail: string): TailwaterError {
  return new TailwaterError('TW_COMMIT_CONFLICT', { detail });
}

function shown(fact: Fact): string {
  return fact === null ? 'none' : String(fact);
}
