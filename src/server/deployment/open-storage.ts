import type { Random } from '../../base/index.ts';
import { type DataFolder, joinDataFolder } from '../data-folder.ts';
import { joinS3Deployment, type S3Storage } from './s3-deployment.ts';

/** Where a node keeps everything, as plain data for its compaction process: a folder, or a deployment on S3. */
export type StorageChoice = { kind: 'folder'; dataDir: string } | { kind: 's3'; storage: S3Storage };

/** Beside the node, as its compaction process. */
export function joinStorage(choice: StorageChoice, random: Random, threads: number): Promise<DataFolder> {
  return choice.kind === 'folder'
    ? joinDataFolder(choice.dataDir, random, threads)
    : joinS3Deployment(choice.storage, random, threads);
}
