import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { makeFolderDurably } from '../../src/storage/index.ts';
import { SimFileSystem } from '../harness/sim-file-system.ts';

const FOLDER = '/srv/data/log/0';

async function callsOf(work: (fs: SimFileSystem) => Promise<void>): Promise<number> {
  const fs = new SimFileSystem(seededRandom(1));
  await work(fs);
  return fs.calls.length;
}

describe('a folder made durably', () => {
  test('is there after a crash, whoever died while making it before', async () => {
    const calls = await callsOf(fs => makeFolderDurably(fs, FOLDER));
    for (let dies = 0; dies <= calls; dies++) {
      for (let seed = 1; seed <= 20; seed++) {
        let fs = new SimFileSystem(seededRandom(seed));
        fs.crashAtCall = dies;
        await makeFolderDurably(fs, FOLDER).catch(() => {});
        fs = fs.kill();
        await makeFolderDurably(fs, FOLDER);
        fs = fs.crash();
        expect(await fs.stat(FOLDER)).not.toBeNull();
      }
    }
  });

  test('below one that may not be read, such as a home, is made all the same', async () => {
    const fs = new SimFileSystem(seededRandom(1));
    await makeFolderDurably(fs, '/home/someone');
    fs.fault = ({ call, path }) => (call === 'syncFolder' && path === '/home' ? { code: 'EACCES' } : null);
    await makeFolderDurably(fs, '/home/someone/data');
    expect(await fs.crash().stat('/home/someone/data')).not.toBeNull();
  });
});
