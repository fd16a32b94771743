import { describe, expect, test } from 'vitest';
import { fromUtf8, isTailwaterError, seededRandom, utf8 } from '../../src/base/index.ts';
import { decodeFileHeader, encodeFileHeader } from '../../src/journal/frame.ts';
import { FileJournal } from '../../src/journal/index.ts';
import { expectDamageRefused } from '../harness/damaged-bytes.ts';
import { SimFileSystem } from '../harness/sim-file-system.ts';

const FOLDER = '/log';
const FILE = `${FOLDER}/00000000000000000001.log`;
const ENTRIES = ['one', '', 'three', 'x'.repeat(20)];

/** The one file of a journal that was closed cleanly, so that it ends in a seal. */
async function sealedFile(): Promise<Uint8Array> {
  const fs = new SimFileSystem(seededRandom(1));
  const journal = await FileJournal.open(fs, FOLDER, { random: seededRandom(2) });
  for (const [index, entry] of ENTRIES.entries()) await journal.create(index + 1, utf8(entry));
  await journal.close();
  return fs.bytesOf(FILE).slice();
}

/** The entries of a journal whose only file has these bytes, or the code it is refused with. */
async function entriesOf(bytes: Uint8Array): Promise<string[] | string> {
  const fs = new SimFileSystem(seededRandom(1));
  await fs.mkdir(FOLDER);
  const file = await fs.open(FILE, 'create');
  await file.write(bytes, 0);
  await file.datasync();
  try {
    const journal = await FileJournal.open(fs, FOLDER, { random: seededRandom(3) });
    const entries: string[] = [];
    for (let seq = 1; ; seq++) {
      const entry = await journal.read(seq);
      if (entry === null) return entries;
      entries.push(fromUtf8(entry));
    }
  } catch (error) {
    if (isTailwaterError(error, 'TW_DATA_DAMAGED', 'TW_FORMAT_TOO_NEW')) return error.code;
    throw error;
  }
}

describe('a file of frames', () => {
  test('whose header is damaged is refused', () => {
    expectDamageRefused({
      decode: bytes => decodeFileHeader(exactly(bytes, 32), 'file'),
      samples: [encodeFileHeader(7, new Uint8Array(8).fill(3))],
    });
  });

  test('that was closed is refused with any bit of an entry flipped; without its seal it still has every entry', async () => {
    const bytes = await sealedFile();
    const sealStart = bytes.length - 16;
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] ^= 1 << (at % 8);
      const found = await entriesOf(flipped);
      if (at < sealStart) expect(['TW_DATA_DAMAGED', 'TW_FORMAT_TOO_NEW'], `byte ${at}`).toContain(found);
      else expect(found, `byte ${at}`).toEqual(ENTRIES);
    }
  });

  /** An end that is missing may never have been written: only a checkpoint can tell (file-journal.test.ts). */
  test('cut anywhere holds a prefix of its entries, or is refused', async () => {
    const bytes = await sealedFile();
    for (let length = 0; length < bytes.length; length++) {
      const found = await entriesOf(bytes.slice(0, length));
      if (length < 32) expect(found).toBe('TW_DATA_DAMAGED');
      else expect(found).toEqual(ENTRIES.slice(0, found.length));
    }
  });
});

/** The reader of a header is given as many bytes as the file has, at most those of a header. */
function exactly(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.length > length ? new Uint8Array(0) : bytes;
}
