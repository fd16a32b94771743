import { costByComponent, type RequestMeter, type RequestPrices } from '../../storage/index.ts';
import type { ComponentStats } from '../metrics.ts';

/** What a node and its compaction process asked of the object store, and an estimate of the cost. Requests of LanceDB's own client are not in it. */
export function requestStats(meter: RequestMeter, prices: RequestPrices): ComponentStats[] {
  const counts = meter.counts();
  const stats = counts.map(
    ({ component, operation, requests, bytesWritten, bytesRead }): ComponentStats => ({
      component: 'object_store',
      labels: { component, operation },
      stats: { requests, bytesWritten, bytesRead },
    }),
  );
  for (const [component, usd] of costByComponent(counts, prices)) {
    stats.push({ component: 'object_store_cost', labels: { component }, stats: { usd } });
  }
  return stats;
}
