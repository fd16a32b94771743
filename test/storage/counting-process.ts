import { systemRandom } from '../../src/base/index.ts';
import { FileObjectStore, nodeFileSystem, VersionedDocument } from '../../src/storage/index.ts';

/** Run by node: adds 1 to a shared counter again and again, and says after each that it did. Arguments: the folder, how many times. */
const [folder, times] = process.argv.slice(2);
const counter = new VersionedDocument<number>(new FileObjectStore(nodeFileSystem, folder, systemRandom), 'shared/counter');
for (let done = 0; done < Number(times); done++) {
  await counter.update(count => (count ?? 0) + 1);
  process.stdout.write('+');
}
