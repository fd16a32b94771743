import type { Clock, Timer } from '../../src/base/index.ts';
import type { TableStaging, TableStore, TableVersion } from '../../src/lakehouse/index.ts';
import type { FileSystem, ObjectStore, OpenFile } from '../../src/storage/index.ts';
import { sleepOn, type VirtualClock } from '../harness/virtual-clock.ts';
import type { Life } from './life.ts';

/** The clock of one process: it may show another time than its neighbours', and its timers stop with it. */
export class ProcessClock implements Clock {
  offsetMs = 0;
  readonly #clock: VirtualClock;
  readonly #life: Life;

  constructor(clock: VirtualClock, life: Life) {
    this.#clock = clock;
    this.#life = life;
  }

  nowMs(): number {
    return Math.floor(this.#clock.nowMs()) + this.offsetMs;
  }

  monotonicMs(): number {
    return this.#clock.nowMs();
  }

  after(ms: number, run: () => void): Timer {
    if (this.#life.dead) return { cancel: () => {} };
    let cancelled = false;
    const timer = this.#clock.after(ms, () =>
      this.#life.enter(() => {
        if (!cancelled) run();
      }),
    );
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  /** Anything else may happen meanwhile. */
  turn(): Promise<void> {
    return this.sleep(0);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }
}

export function storeOf(store: ObjectStore, life: Life): ObjectStore {
  return {
    put: (key, bytes, condition) => life.call(() => store.put(key, bytes, condition)),
    get: (key, options) => life.call(() => store.get(key, options)),
    head: key => life.call(() => store.head(key)),
    list: (prefix, options) => life.call(() => store.list(prefix, options)),
    delete: keys => life.call(() => store.delete(keys)),
  };
}

/** `wait` comes before and after every step: where racing jobs get between. */
export function tablesOf(tables: TableStore, life: Life, wait: () => Promise<void>): TableStore {
  const call = <T>(run: () => Promise<T>): Promise<T> =>
    life.call(async () => {
      await wait();
      const result = await run();
      await wait();
      return result;
    });
  const stagingOf = (staging: TableStaging): TableStaging => ({
    evolve: schema => call(() => staging.evolve(schema)),
    append: rows => call(() => staging.append(rows)),
    takeKeys: (keys, belowSeq) => call(() => staging.takeKeys(keys, belowSeq)),
    appendChanges: changes => call(() => staging.appendChanges(changes)),
    remove: (rows, changes) => call(() => staging.remove(rows, changes)),
    setVectors: (seqs, vectors) => call(() => staging.setVectors(seqs, vectors)),
    optimize: options => call(() => staging.optimize(options)),
    verify: (watermark, options) => call(() => staging.verify(watermark, options)),
  });
  const versionOf = (version: TableVersion): TableVersion => ({
    byKeys: keys => call(() => version.byKeys(keys)),
    searchText: (query, limit, where, detail) => call(() => version.searchText(query, limit, where, detail)),
    searchVector: (vector, limit, where, detail) => call(() => version.searchVector(vector, limit, where, detail)),
    rowsOf: candidates => call(() => version.rowsOf(candidates)),
    byOffsets: (partition, first, last, limit) => call(() => version.byOffsets(partition, first, last, limit)),
    expired: (bounds, limit) => call(() => version.expired(bounds, limit)),
    scan: options => version.scan(options),
    scanIndexable: options => version.scanIndexable(options),
    scanColumns: options => version.scanColumns(options),
    warm: () => call(() => version.warm()),
    countRows: where => call(() => version.countRows(where)),
    parquet: options => call(() => version.parquet(options)),
  });
  return {
    begin: async (...begin) => stagingOf(await call(() => tables.begin(...begin))),
    open: async (...open) => versionOf(await call(() => tables.open(...open))),
    prune: (...prune) => call(() => tables.prune(...prune)),
    drop: incarnation => call(() => tables.drop(incarnation)),
    incarnations: () => call(() => tables.incarnations()),
    close: async () => {},
  };
}

/** A disk that takes its time: where a process dies between a write and its sync. */
export function fileSystemOf(fs: FileSystem, life: Life, wait: () => Promise<void>): FileSystem {
  const call = <T>(run: () => Promise<T>): Promise<T> =>
    life.call(async () => {
      await wait();
      return run();
    });
  const handleOf = (file: OpenFile): OpenFile => ({
    write: (bytes, position) => {
      const content = bytes.slice();
      return call(() => file.write(content, position));
    },
    read: (position, length) => call(() => file.read(position, length)),
    // Two calls: a process that dies after the first makes no second one.
    writeDurably: async (bytes, position) => {
      const content = bytes.slice();
      await call(() => file.write(content, position));
      await call(() => file.datasync());
    },
    datasync: () => call(() => file.datasync()),
    truncate: size => call(() => file.truncate(size)),
    size: () => call(() => file.size()),
    close: () => call(() => file.close()),
  });
  return {
    open: async (path, mode) => handleOf(await call(() => fs.open(path, mode))),
    readFile: path => call(() => fs.readFile(path)),
    link: (from, to) => call(() => fs.link(from, to)),
    rename: (from, to) => call(() => fs.rename(from, to)),
    unlink: path => call(() => fs.unlink(path)),
    mkdir: path => call(() => fs.mkdir(path)),
    readdir: path => call(() => fs.readdir(path)),
    stat: path => call(() => fs.stat(path)),
    syncFolder: path => call(() => fs.syncFolder(path)),
  };
}
