import { asTailwaterError, type Clock, isTailwaterError, TailwaterError } from '../../base/index.ts';
import type { Pin } from '../../journal/index.ts';
import type { ScanBatch } from './scan-types.ts';

/** How long the state of a scan stays after its reader last asked for more. Renewed when half of it is over. */
export const LEASE_MS = 10 * 60_000;

export interface LeasedOptions {
  clock: Clock;
  /** Where a scan that must end can be resumed. */
  token: string;
  afterSeq: number;
  signal?: AbortSignal;
}

/**
 * Batches under a pin that lasts as long as someone reads them. When the pin ran out, or what it names is gone, the scan ends with
 * TW_SNAPSHOT_EXPIRED and the place to resume from in `data`; what came before is right, and not all.
 */
export async function* leasedBatches(
  batches: AsyncIterable<ScanBatch>,
  pins: readonly Pin[],
  { clock, token, afterSeq, signal }: LeasedOptions,
): AsyncGenerator<ScanBatch> {
  let renewedAtMs = clock.nowMs();
  let lastSeq = afterSeq;
  try {
    for await (const batch of batches) {
      if (signal?.aborted) throw new TailwaterError('TW_CLOSED', { detail: 'The scan was called off.' });
      yield batch;
      lastSeq = batch.lastSeq;
      if (clock.nowMs() - renewedAtMs < LEASE_MS / 2) continue;
      for (const pin of pins) await pin.renew(LEASE_MS);
      renewedAtMs = clock.nowMs();
    }
  } catch (error) {
    const isGone = isTailwaterError(error, 'TW_SNAPSHOT_EXPIRED', 'TW_HISTORY_EXPIRED');
    throw isGone ? expired(token, lastSeq, error) : asTailwaterError(error);
  } finally {
    for (const pin of pins) await pin.release().catch(() => {});
  }
}

function expired(token: string, afterSeq: number, cause: unknown): TailwaterError {
  return new TailwaterError('TW_SNAPSHOT_EXPIRED', {
    detail: `The state that the scan read was given up, because its reader took longer than ${LEASE_MS / 60_000} minutes.`,
    data: { resume: { asOf: token, ...(afterSeq < 0 ? {} : { afterSeq }) } },
    cause,
  });
}
