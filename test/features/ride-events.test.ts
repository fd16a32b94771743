import { expect, test } from 'vitest';
import { type JsonValue, seededRandom, systemClock } from '../../src/base/index.ts';
import { dataFolder, SETS, sourceRows } from '../cli/real-data-sets.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';

const SLOW_MS = 180_000;
const HOUR_MS = 3_600_000;
const BATCH = 5000;

interface Ride {
  city: string;
  product: string;
  amount: number;
  timeMs: number;
}

/** Read without any of Tailwater's readers. */
function rideOf(row: string): Ride {
  const [, amount, , , , city, product, seconds] = row.split(',');
  return { city, product, amount: Number(amount), timeMs: Number(seconds) * 1000 };
}

/** The features of one city at one instant, by going through all its rides. They are in the order of (time, arrival). */
function naive(rides: readonly Ride[], atMs: number): Record<string, JsonValue> {
  const seen = rides.filter(({ timeMs }) => timeMs <= atMs);
  const within = (ms: number): Ride[] => seen.filter(({ timeMs }) => timeMs > atMs - ms);
  const sum = (some: readonly Ride[]): number => some.reduce((total, { amount }) => total + amount, 0);
  const black = within(6 * HOUR_MS).filter(({ product }) => product === 'uber-black');
  const today = seen.filter(({ timeMs }) => timeMs >= Math.floor(atMs / (24 * HOUR_MS)) * 24 * HOUR_MS);
  const ten = seen.slice(-10);
  return {
    rides_1h: within(HOUR_MS).length,
    spend_6h_black: black.length === 0 ? null : sum(black),
    highest_today: today.length === 0 ? null : Math.max(...today.map(({ amount }) => amount)),
    mean_of_ten: ten.length === 0 ? null : sum(ten) / ten.length,
    products: new Set(seen.map(({ product }) => product)).size,
    last_product: seen.at(-1)?.product ?? null,
  };
}

const definition = {
  source: 'rides',
  entity: 'cityName',
  features: {
    rides_1h: { aggregate: 'count', window: { sliding: '1h' } },
    spend_6h_black: { aggregate: 'sum', field: 'tripAmount', where: { productCode: 'uber-black' }, window: { sliding: '6h' } },
    highest_today: { aggregate: 'max', field: 'tripAmount', window: { tumbling: '1d' } },
    mean_of_ten: { aggregate: 'avg', field: 'tripAmount', window: { rows: 10 } },
    products: { aggregate: 'count_distinct', field: 'productCode', window: 'lifetime' },
    last_product: { aggregate: 'last', field: 'productCode', window: 'lifetime' },
  },
};

/** The naive sums are rounded at every step. */
function expectSame(own: Record<string, JsonValue>, expected: Record<string, JsonValue>): void {
  for (const [name, value] of Object.entries(expected)) {
    if (typeof value === 'number') expect(own[name], name).toBeCloseTo(value, 6);
    else expect(own[name], name).toEqual(value);
  }
}

test('features of real rides are those of a naive calculation, online and in training rows, with compactions between', {
  timeout: SLOW_MS,
}, async () => {
  const folder = dataFolder();
  if (folder === null) {
    console.info(
      'The features of ride-events were left out: set TAILWATER_DATA to the folder that holds ride-events/rides.csv.gz.',
    );
    return;
  }
  const source = sourceRows(SETS.find(({ name }) => name === 'ride-events')!, folder);
  const rides = source.map(rideOf);
  const cities = Map.groupBy(
    rides.toSorted((a, b) => a.timeMs - b.timeMs),
    ({ city }) => city,
  );
  const endMs = Math.max(...rides.map(({ timeMs }) => timeMs));
  const startMs = Math.min(...rides.map(({ timeMs }) => timeMs));
  const clock = { ...systemClock, nowMs: () => endMs };
  await withEngine(
    async tailwater => {
      await tailwater.createStream('rides', { kind: 'append' });
      await tailwater.features.apply({ name: 'cities', definition });
      for (let from = 0; from < rides.length; from += BATCH) {
        const records = rides.slice(from, from + BATCH).map(({ city, product, amount, timeMs }) => ({
          time: new Date(timeMs).toISOString(),
          value: { cityName: city, productCode: product, tripAmount: amount },
        }));
        await tailwater.append('rides', records);
        if ((from / BATCH) % 3 === 1) await tailwater.compact('rides');
      }
      const names = [...cities.keys()];
      const online = await tailwater.features.online('cities', { entities: names });
      for (const [index, { values }] of online.entities.entries()) {
        expectSame(values as Record<string, JsonValue>, naive(cities.get(names[index])!, Date.parse(online.asOf)));
      }
      const random = seededRandom(5);
      const spine = Array.from({ length: 120 }, (_, index) => ({
        cityName: names[index % names.length],
        time: Math.floor(startMs + random.float() * (endMs - startMs)),
      }));
      const { rows } = await tailwater.features.historical({ views: ['cities'], rows: spine });
      for (const [index, { cityName, time }] of spine.entries()) {
        expectSame(rows[index] as Record<string, JsonValue>, naive(cities.get(cityName)!, time));
      }
      await tailwater.compact('rides', { full: true });
      expect((await tailwater.features.historical({ views: ['cities'], rows: spine })).rows).toEqual(rows);
    },
    { clock },
  );
});
