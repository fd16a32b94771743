import { defineConfig } from 'vitest/config';

/** What needs engines of other people: `npm run test:interop`, not `npm test`. */
export default defineConfig({
  test: {
    include: ['test/interop/*.interop.ts'],
    testTimeout: 900_000,
    hookTimeout: 1_800_000,
    pool: 'forks',
    fileParallelism: false,
  },
});
