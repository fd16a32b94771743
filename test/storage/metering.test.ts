import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import { AWS_REQUEST_PRICES, costByComponent, MemoryObjectStore, RequestMeter } from '../../src/storage/index.ts';

test('requests and bytes are counted by component and operation, with what was counted elsewhere, and priced', async () => {
  const meter = new RequestMeter(key => key.split('/')[0]);
  const store = meter.wrap(new MemoryObjectStore());
  await store.put('log/1', utf8('12345'), { ifAbsent: true });
  await store.put('log/1', utf8('12345'), { ifAbsent: true });
  await store.get('log/1');
  await store.get('log/2');
  await store.get('tables/1', { range: { start: 0, end: 3 } });
  await store.list('tables/');
  await store.delete(['log/1', 'log/2']);
  await store.delete([]);
  meter.add([{ component: 'log', operation: 'put', requests: 998, bytesWritten: 7, bytesRead: 0 }]);
  const counts = meter.counts();
  expect(counts.map(({ component, operation, requests }) => `${component} ${operation} ${requests}`).sort()).toEqual([
    'log delete 1',
    'log get 2',
    'log put 1000',
    'tables get 1',
    'tables list 1',
  ]);
  expect(counts.find(each => each.operation === 'put')).toMatchObject({ bytesWritten: 12 });
  expect(counts.find(each => each.component === 'log' && each.operation === 'get')).toMatchObject({ bytesRead: 5 });
  const costs = costByComponent(counts, AWS_REQUEST_PRICES);
  expect(costs.get('log')).toBeCloseTo(0.005 + 2 * 0.0000004, 10);
  expect(costs.get('tables')).toBeCloseTo(0.000005 + 0.0000004, 10);
});
