import type { PutCondition } from '../../src/storage/index.ts';
import type { Interned } from './interned.ts';

/** Parts of the journal's keys that different calls write and read. */
export const ENTRIES = 1;
export const CHECKPOINTS = 2;
export const FLOOR = 4;

export const PREFIX = 'j';
const MAX_PAGE = 1000;

/** What a process asks of the store, as plain data; `begin` is a client's request to its process. */
export type Request =
  | { kind: 'get'; key: string }
  | { kind: 'put'; key: string; content: number; condition: PutCondition | null }
  | { kind: 'list'; prefix: string; startAfter: string; limit: number }
  | { kind: 'delete'; keys: readonly string[] }
  | { kind: 'begin' };

/** What may become of a request. The first is a good day; each of the others is one fault. */
export type Fate = 'ok' | 'reply-lost' | 'lost' | 'late' | 'twice' | 'error' | 'error-applied';

export const NO_FAULT: readonly Fate[] = ['ok'];
const READ: readonly Fate[] = ['ok', 'error'];
const DELETE: readonly Fate[] = ['ok', 'error', 'error-applied'];
const PUT: readonly Fate[] = ['ok', 'reply-lost', 'lost', 'late', 'twice', 'error'];
/** A put that is refused changes nothing: losing its request or its reply is the same. */
const REFUSED_PUT: readonly Fate[] = ['ok', 'lost', 'late', 'error'];

/** The reply as the process learns it: a content's number, `none`, keys, or what became of a put. */
export interface Effect {
  objects: Objects;
  reply: string;
  /** Whether the put is still on its way. */
  late: boolean;
}

/** The objects of the store at one instant; never changed. */
export class Objects {
  /** Equal objects, equal numbers. */
  readonly id: number;
  readonly #keys: readonly string[];
  readonly #contents: ReadonlyMap<string, number>;
  readonly #ids: Interned;

  constructor(ids: Interned, contents: ReadonlyMap<string, number> = new Map()) {
    this.#ids = ids;
    this.#contents = contents;
    this.#keys = [...contents.keys()].sort();
    this.id = ids.id(this.#keys.map(key => `${key}=${contents.get(key)}`).join());
  }

  get(key: string): number | null {
    return this.#contents.get(key) ?? null;
  }

  keys(prefix: string): string[] {
    return this.#keys.filter(key => key.startsWith(prefix));
  }

  fates(request: Request): readonly Fate[] {
    switch (request.kind) {
      case 'put':
        return this.#admits(request.key, request.condition) ? PUT : REFUSED_PUT;
      case 'delete':
        return DELETE;
      case 'begin':
        return NO_FAULT;
      default:
        return READ;
    }
  }

  after(request: Request, fate: Fate): Effect {
    if (fate === 'error') return { objects: this, reply: 'error', late: false };
    if (request.kind === 'put') return this.#put(request, fate);
    if (request.kind === 'delete') {
      const contents = new Map(this.#contents);
      for (const key of request.keys) contents.delete(key);
      return { objects: new Objects(this.#ids, contents), reply: fate === 'ok' ? 'done' : 'error', late: false };
    }
    return { objects: this, reply: this.#read(request), late: false };
  }

  /** The objects after a put on which nobody waits any more. */
  afterLatePut({ key, content, condition }: Extract<Request, { kind: 'put' }>): Objects {
    if (!this.#admits(key, condition)) return this;
    return new Objects(this.#ids, new Map(this.#contents).set(key, content));
  }

  #put(request: Extract<Request, { kind: 'put' }>, fate: Fate): Effect {
    if (fate === 'lost' || fate === 'late') return { objects: this, reply: 'unknown', late: fate === 'late' };
    const refusal = request.condition !== null && 'ifAbsent' in request.condition ? 'exists' : 'mismatch';
    const admitted = this.#admits(request.key, request.condition);
    const objects = this.afterLatePut(request);
    if (fate === 'reply-lost') return { objects, reply: 'unknown', late: false };
    // A layer below sent it twice: what the caller learns is what became of the second.
    const again = fate === 'twice' && !objects.#admits(request.key, request.condition);
    return { objects, reply: admitted && !again ? 'ok' : refusal, late: false };
  }

  #read(request: Exclude<Request, { kind: 'put' | 'delete' }>): string {
    if (request.kind === 'begin') return '';
    if (request.kind === 'get') return String(this.get(request.key) ?? 'none');
    const found = this.keys(request.prefix).filter(key => key > request.startAfter);
    return found.slice(0, Math.min(request.limit, MAX_PAGE)).join();
  }

  #admits(key: string, condition: PutCondition | null): boolean {
    if (condition === null) return true;
    return 'ifAbsent' in condition ? !this.#contents.has(key) : String(this.#contents.get(key)) === condition.ifMatch;
  }
}

export function partOf(request: Request): number {
  switch (request.kind) {
    case 'begin':
      return 0;
    case 'list':
      return partOfKey(request.prefix);
    case 'delete':
      return request.keys.reduce((parts, key) => parts | partOfKey(key), 0);
    default:
      return partOfKey(request.key);
  }
}

function partOfKey(key: string): number {
  if (key.startsWith(`${PREFIX}/entries/`)) return ENTRIES;
  return key.startsWith(`${PREFIX}/checkpoints/`) ? CHECKPOINTS : FLOOR;
}
