import type { Journal } from '../../journal/index.ts';
import type { StreamDefinition } from '../definition.ts';
import { CatalogView } from './catalog-view.ts';

/** The live streams by name, read from the catalog's journal alone: nothing is written, no log is needed. TW_DATA_DAMAGED. */
export async function readCatalog(journal: Journal): Promise<StreamDefinition[]> {
  return (await CatalogView.open(journal)).list();
}
