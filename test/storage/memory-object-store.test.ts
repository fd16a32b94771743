import { MemoryObjectStore } from '../../src/storage/index.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';

objectStoreConformance(
  'MemoryObjectStore',
  async () => {
    const store = new MemoryObjectStore();
    return { store, other: store, damage: key => store.damage(key), putForeign: (key, bytes) => store.putForeign(key, bytes) };
  },
  { keysMayNest: true, histories: 300 },
);
