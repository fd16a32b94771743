/** Ids below this can be packed into one number, four of them. */
const PACKED_BELOW = 8192;
const MAX_PACKED = 4;

/** The worlds that have been entered, each with in how many ways things go on from it. By its shared part, then by its processes. */
export class Seen {
  readonly #byShared: Map<number | string, number>[] = [];
  size = 0;

  get(shared: number, processes: readonly { id: number }[]): number | undefined {
    return this.#byShared[shared]?.get(keyOf(processes));
  }

  set(shared: number, processes: readonly { id: number }[], ways: number): void {
    this.#byShared[shared] ??= new Map();
    const known = this.#byShared[shared];
    const before = known.size;
    known.set(keyOf(processes), ways);
    this.size += known.size - before;
  }
}

function keyOf(processes: readonly { id: number }[]): number | string {
  if (processes.length > MAX_PACKED || processes.some(({ id }) => id >= PACKED_BELOW))
    return processes.map(({ id }) => id).join();
  let packed = 0;
  for (const { id } of processes) packed = packed * PACKED_BELOW + id;
  return packed;
}
