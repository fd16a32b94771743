import type { IcebergSettings } from './iceberg-context.ts';
import type { PartitionValue, TableFile } from './iceberg-types.ts';
import type { DeletedRows } from './position-deletes.ts';

/** Files of one partition that become one. */
export interface BinToRewrite {
  files: TableFile[];
  partition: PartitionValue[];
}

/**
 * Which files are worth writing anew: those of less than half the target size, packed in their order into files of about the target, as
 * soon as there are two; and any that has lost a good share of its rows.
 */
export function planMerge(
  data: readonly TableFile[],
  deleted: DeletedRows,
  { targetFileBytes, deletedShare }: Pick<IcebergSettings, 'targetFileBytes' | 'deletedShare'>,
): BinToRewrite[] {
  const bins: BinToRewrite[] = [];
  const isWorn = (file: TableFile): boolean => (deleted.get(file.name)?.size ?? 0) > file.records * deletedShare;
  for (const files of Map.groupBy(data, file => JSON.stringify(file.partition)).values()) {
    const candidates = files.filter(file => file.bytes < targetFileBytes / 2 || isWorn(file));
    for (const bin of packed(candidates, targetFileBytes)) {
      if (bin.length > 1 || isWorn(bin[0])) bins.push({ files: bin, partition: bin[0].partition });
    }
  }
  return bins;
}

function packed(files: readonly TableFile[], targetBytes: number): TableFile[][] {
  const bins: TableFile[][] = [];
  let bytes = 0;
  for (const file of files) {
    const bin = bins.at(-1);
    if (bin === undefined || bytes + file.bytes > targetBytes) {
      bins.push([file]);
      bytes = 0;
    } else bin.push(file);
    bytes += file.bytes;
  }
  return bins;
}
