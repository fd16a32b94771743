import type { Journal } from '../../journal/index.ts';
import type { StreamDefinition } from '../definition.ts';
import { catalogMachine } from './catalog-machine.ts';

/** The live streams by name, read from the catalog's journal alone: nothing is written, no log is needed. TW_DATA_DAMAGED. */
export async function readCatalog(journal: Journal): Promise<StreamDefinition[]> {
  const checkpoint = await journal.latestCheckpoint();
  let state = checkpoint === null ? catalogMachine.initial() : catalogMachine.decodeCheckpoint(checkpoint.bytes);
  for (let seq = (checkpoint?.seq ?? 0) + 1; ; seq++) {
    const bytes = await journal.read(seq);
    if (bytes === null) break;
    state = catalogMachine.apply(state, seq, bytes);
  }
  const streams = [...state.byName.values()].map(stream => stream.definition);
  return streams.sort((a, b) => (a.name < b.name ? -1 : 1));
}
