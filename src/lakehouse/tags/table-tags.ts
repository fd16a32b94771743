import { TailwaterError } from '../../base/index.ts';
import { listAll, type ObjectStore } from '../../storage/index.ts';
import { checkTagName, decodeTag, encodeTag, isTagName, type TableTag } from './tag-codec.ts';

/**
 * The tags of one stream life: objects `tables/{incarnation}/tags/{name}`, each with the whole table state that it names. They go with the
 * stream. The collector reads them after the pins: who creates one holds a pin on the state until the tag is durable (J9).
 */
export class TableTags {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #incarnation: string;

  constructor(store: ObjectStore, incarnation: string) {
    this.#store = store;
    this.#prefix = `tables/${incarnation}/tags/`;
    this.#incarnation = incarnation;
  }

  /** Null when there is none of this name. */
  async read(name: string): Promise<TableTag | null> {
    if (!isTagName(name)) return null;
    const key = this.#prefix + name;
    const stored = await this.#store.get(key);
    return stored === null ? null : decodeTag(stored.bytes, key, this.#incarnation);
  }

  /** In the order of their names. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { key } of listAll(this.#store, this.#prefix)) names.push(key.slice(this.#prefix.length));
    return names;
  }

  async list(): Promise<TableTag[]> {
    const tags = await Promise.all((await this.names()).map(name => this.read(name)));
    return tags.filter(tag => tag !== null);
  }

  /**
   * Creates a tag, or finds that one of this name names the same instant: which of the two, is not told. TW_TAG_EXISTS when it names
   * another one; TW_OUTCOME_UNKNOWN.
   */
  async create(tag: TableTag): Promise<TableTag> {
    checkTagName(tag.name);
    const outcome = await this.#store.put(this.#prefix + tag.name, encodeTag(tag), { ifAbsent: true });
    if (outcome.kind === 'ok') return tag;
    const found = await this.read(tag.name);
    if (found === null) {
      throw new TailwaterError('TW_OUTCOME_UNKNOWN', { detail: `It is not known whether tag "${tag.name}" was created.` });
    }
    if (found.attemptId === tag.attemptId || found.state.attemptId === tag.state.attemptId) return found;
    throw new TailwaterError('TW_TAG_EXISTS', {
      detail: `Tag "${tag.name}" names table state ${found.state.n}, as of ${new Date(found.state.logTimeMs).toISOString()}.`,
    });
  }

  /** Returns whether there was one. What only it kept goes with the next collection. */
  async delete(name: string): Promise<boolean> {
    if ((await this.read(name)) === null) return false;
    await this.#store.delete([this.#prefix + name]);
    return true;
  }
}
