import { parentPort, workerData } from 'node:worker_threads';
import { runSeeds, type SeedRange } from './seeds.ts';

const range = workerData as SeedRange;
await runSeeds(range, outcome => parentPort!.postMessage(outcome));
