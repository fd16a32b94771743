import { type Journal, JournalReplica } from '../../journal/index.ts';
import type { StreamDefinition } from '../definition.ts';
import { type CatalogState, catalogMachine } from './catalog-machine.ts';

/** The catalog as its journal says it, for those who serve no stream: nothing but floor and checkpoints is ever written, and no log is needed. */
export class CatalogView {
  readonly #journal: Journal;
  readonly #replica: JournalReplica<CatalogState>;

  private constructor(journal: Journal, replica: JournalReplica<CatalogState>) {
    this.#journal = journal;
    this.#replica = replica;
  }

  /** TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
  static async open(journal: Journal): Promise<CatalogView> {
    return new CatalogView(journal, await JournalReplica.open(journal, catalogMachine));
  }

  /** Afterwards every stream that was created before the call is known. */
  async refresh(): Promise<void> {
    await this.#replica.refresh();
  }

  /** By name. */
  list(): StreamDefinition[] {
    const streams = [...this.#replica.state.byName.values()].map(stream => stream.definition);
    return streams.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  has(incarnation: string): boolean {
    return this.#replica.state.byIncarnation.has(incarnation);
  }

  /** Entries that a start has to read beside the checkpoint that goes with the floor. */
  async entriesAboveFloor(): Promise<number> {
    return this.#replica.seq - (await this.#journal.floor()) + 1;
  }

  /** Gives up all entries so far: checkpoint, then floor (J6). Nothing is deleted. Returns how many were given up. */
  async raiseFloor(): Promise<number> {
    const given = await this.entriesAboveFloor();
    await this.#replica.checkpoint();
    await this.#journal.raiseFloor(this.#replica.seq + 1);
    return given;
  }

  /** Deletes what is below the floor. */
  async collect(): Promise<void> {
    await this.#journal.collect();
  }
}
