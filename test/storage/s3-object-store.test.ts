import { createS3Store } from '../../src/storage/index.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';
import { S3Double } from './s3-double.ts';

objectStoreConformance(
  'S3ObjectStore on a double',
  async () => {
    const double = await S3Double.start({ pageKeys: 3 });
    const settings = { ...double.settings, prefix: 'some/prefix' };
    return {
      store: createS3Store(settings),
      other: createS3Store(settings),
      damage: key => double.damage(`some/prefix/${key}`),
      loseNextReply: applied => double.faultNext('PUT', { kind: applied ? 'lose-after' : 'lose-before' }),
      close: () => double.stop(),
    };
  },
  { keysMayNest: true, histories: 15 },
);
