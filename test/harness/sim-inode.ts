import type { Random } from '../../src/base/index.ts';

/** The unit that a crash keeps or loses. */
const SECTOR_BYTES = 512;

interface Write {
  kind: 'write';
  position: number;
  bytes: Uint8Array;
}

type Change = Write | { kind: 'truncate'; size: number };

/** A file's content as programs see it, and as the disk has it: the difference is what was not synced. */
export class SimInode {
  content = new Uint8Array(0);
  #durable = new Uint8Array(0);
  /** Changes since the last sync, in order; a sync makes them durable. */
  #unsynced: Change[] = [];
  /** Writes that a failed sync gave up: no later sync writes them, a crash may still have kept them. */
  #forsaken: Write[] = [];

  apply(change: Change): void {
    this.content = changed(this.content, change);
    this.#unsynced.push(change.kind === 'write' ? { ...change, bytes: change.bytes.slice() } : change);
  }

  sync(): void {
    for (const change of this.#unsynced) {
      this.#durable = changed(this.#durable, change);
      this.#forsaken = this.#forsaken.flatMap(write => outside(write, change));
    }
    this.#unsynced = [];
  }

  /** As Linux does after an I/O error: the pages count as clean, although they never reached the disk. */
  failSync(): void {
    this.#forsaken.push(...this.#unsynced.filter(change => change.kind === 'write'));
    this.#unsynced = this.#unsynced.filter(change => change.kind === 'truncate');
  }

  /** Any part of what was not synced may have reached the disk: whole changes, sectors of them, or only the length. */
  crash(random: Random): void {
    let content: Uint8Array<ArrayBuffer> = this.#durable;
    for (const change of [...this.#forsaken, ...this.#unsynced]) content = partlyChanged(content, change, random);
    this.content = content;
    this.#durable = content.slice();
    this.#unsynced = [];
    this.#forsaken = [];
  }
}

function changed(content: Uint8Array<ArrayBuffer>, change: Change): Uint8Array<ArrayBuffer> {
  if (change.kind === 'truncate') return resized(content, change.size);
  const next = resized(content, Math.max(content.length, change.position + change.bytes.length));
  next.set(change.bytes, change.position);
  return next;
}

/** What is left in doubt of a forsaken write once a later change is on the disk. */
function outside(write: Write, change: Change): Write[] {
  const end = write.position + write.bytes.length;
  const start = change.kind === 'write' ? change.position : change.size;
  const stop = change.kind === 'write' ? change.position + change.bytes.length : end;
  const part = (from: number, to: number): Write => ({
    kind: 'write',
    position: from,
    bytes: write.bytes.subarray(from - write.position, to - write.position),
  });
  const parts: Write[] = [];
  if (write.position < start) parts.push(part(write.position, Math.min(end, start)));
  if (stop < end) parts.push(part(Math.max(stop, write.position), end));
  return parts;
}

function partlyChanged(content: Uint8Array<ArrayBuffer>, change: Change, random: Random): Uint8Array<ArrayBuffer> {
  const fate = random.float();
  if (fate < 0.35) return content;
  if (change.kind === 'truncate' || fate < 0.55) return changed(content, change);
  const next = resized(content, Math.max(content.length, change.position + change.bytes.length));
  if (fate < 0.65) return next;
  const end = change.position + change.bytes.length;
  for (let at = change.position; at < end; ) {
    const sectorEnd = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (random.float() < 0.5) next.set(change.bytes.subarray(at - change.position, sectorEnd - change.position), at);
    at = sectorEnd;
  }
  // Half of the time the length did not make it either.
  return random.float() < 0.5
    ? next
    : resized(next, Math.max(content.length, change.position + Math.floor(random.float() * change.bytes.length)));
}

function resized(content: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(size);
  next.set(content.subarray(0, size));
  return next;
}
