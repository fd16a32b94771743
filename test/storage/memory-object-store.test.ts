import { MemoryObjectStore } from '../../src/storage/index.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';

objectStoreConformance(
  'MemoryObjectStore',
  async () => {
    const store = new MemoryObjectStore();
    return { store, other: store, damage: key => store.damage(key) };
  },
  { keysMayNest: true, histories: 300 },
);
