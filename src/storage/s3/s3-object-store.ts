import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import { crc32c, TailwaterError } from '../../base/index.ts';
import { checkKey, checkPrefix, checkRange, compareKeys, isKey, pageLimit } from '../keys.ts';
import type {
  ByteRange,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectFacts,
  ObjectStore,
  PutCondition,
  PutOutcome,
  StoredObject,
} from '../object-store.ts';
import { type FirstPart, PART_BYTES, restOf, totalOf } from './parts.ts';
import { failureOf, putOutcome, type S3Failure, unavailable } from './s3-errors.ts';
import { sdk } from './sdk.ts';

/** S3 answers 409 to a write that raced another; it was not applied, and trying again at once mostly settles it. */
const MAX_CONFLICTS = 4;
const MAX_KEYS_PER_DELETE = 1000;
/** Our own copy of the checksum, for look-alikes that do not give S3's back. */
const CHECKSUM_METADATA = 'crc32c';

/** `s3`: with keys of the store; `kms`: with a key of the key service, the account's default one unless named. */
export type Encryption = { kind: 's3' } | { kind: 'kms'; keyId?: string };

/**
 * Objects in a bucket of S3 or a compatible store that honours If-None-Match and If-Match on PutObject (see `probeConditionalPuts`).
 *
 * Every call is one request (only 409 is repeated, see above): compose with `withRetries`. The client's own retries must be off
 * (`maxAttempts: 1`): a put repeated after a lost reply would meet its own effect and be reported as *exists*. No error carries the
 * request, its signature or credentials.
 */
export class S3ObjectStore implements ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #base: string;
  readonly #encryption: Pick<PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId'>;

  /** `prefix`: a key below which everything lies; none by default. */
  constructor(client: S3Client, bucket: string, prefix?: string, encryption?: Encryption) {
    if (prefix !== undefined && prefix !== '') checkKey(prefix);
    this.#client = client;
    this.#bucket = bucket;
    this.#base = prefix === undefined || prefix === '' ? '' : `${prefix}/`;
    this.#encryption = encryptionHeaders(encryption);
  }

  async put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<PutOutcome> {
    checkKey(key);
    await this.#requireNoRetries();
    const checksum = encodeChecksum(bytes);
    const input: PutObjectCommandInput = {
      ...this.#at(key),
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumAlgorithm: 'CRC32C',
      ChecksumCRC32C: checksum,
      Metadata: { [CHECKSUM_METADATA]: checksum },
      ...this.#encryption,
      ...(condition === undefined ? {} : 'ifAbsent' in condition ? { IfNoneMatch: '*' } : { IfMatch: condition.ifMatch }),
    };
    const what = `The object ${key} could not be written`;
    for (let conflicts = 1; ; conflicts++) {
      try {
        const { ETag } = await this.#client.send(new (sdk().PutObjectCommand)(input));
        return ETag === undefined
          ? { kind: 'unknown', cause: new Error('The reply names no ETag.') }
          : { kind: 'ok', etag: ETag };
      } catch (error) {
        const failure = failureOf(error);
        const outcome = putOutcome(failure, what, condition);
        if (outcome !== 'conflict') return outcome;
        if (conflicts === MAX_CONFLICTS) throw unavailable(failure, what);
      }
    }
  }

  async get(key: string, options?: GetOptions): Promise<StoredObject | null> {
    checkKey(key);
    if (options?.foreign !== undefined) return this.#getForeign(key, options.foreign.etag);
    if (options?.range === undefined) return this.#getWhole(key);
    checkRange(options.range);
    return this.#getRange(key, options.range);
  }

  async head(key: string): Promise<ObjectFacts | null> {
    checkKey(key);
    const reply = await this.#reading(key, () => this.#client.send(new (sdk().HeadObjectCommand)(this.#at(key))));
    if (reply === null) return null;
    const { ContentLength: size = 0, ETag: etag = '', LastModified: modified } = reply;
    return { size, etag, ...(modified !== undefined && { modifiedAtMs: modified.getTime() }) };
  }

  async list(prefix: string, options?: ListOptions): Promise<ListedObject[]> {
    checkPrefix(prefix);
    const limit = pageLimit(options);
    const page: ListedObject[] = [];
    let after = options?.startAfter;
    for (let more = true; more && page.length < limit; ) {
      const listed = await this.#listOnce(this.#base + prefix, after, limit - page.length);
      for (const object of listed.objects) if (isKey(object.key)) page.push(object);
      after = listed.last;
      more = listed.more;
    }
    return page.sort((a, b) => compareKeys(a.key, b.key));
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key);
    for (let at = 0; at < keys.length; at += MAX_KEYS_PER_DELETE) {
      await this.#deleteSome(keys.slice(at, at + MAX_KEYS_PER_DELETE));
    }
  }

  async #getWhole(key: string): Promise<StoredObject | null> {
    return this.#reading(key, async () => {
      const { bytes, etag, checksum } = await this.#content(key);
      if (checksum === undefined) {
        throw damaged(
          key,
          'carries no crc32c; copy it again with `--checksum-algorithm CRC32C` if its content is known to be right',
        );
      }
      if (encodeChecksum(bytes) !== checksum) throw damaged(key, 'fails its checksum');
      return { bytes, etag };
    });
  }

  /** Every request names the version. What others put in parts carries a checksum of the parts' checksums, which says nothing of the whole. */
  #getForeign(key: string, version: string): Promise<StoredObject | null> {
    return this.#reading(key, async () => {
      const { bytes, etag, checksum } = await this.#content(key, version);
      if (etag !== version) return null;
      const isOfWhole = checksum !== undefined && !checksum.includes('-');
      if (isOfWhole && encodeChecksum(bytes) !== checksum) throw damaged(key, 'fails its checksum');
      return { bytes, etag };
    }, [412]);
  }

  /** One request for most objects; of large ones the first part says how large, and the others come side by side. */
  async #content(key: string, version?: string): Promise<StoredObject & { checksum: string | undefined }> {
    const { first, etag, checksum } = await this.#firstPart(key, version);
    const part = async (range: ByteRange): Promise<Uint8Array> => {
      const input = { ...this.#at(key), Range: rangeHeader(range), IfMatch: etag };
      const reply = await this.#client.send(new (sdk().GetObjectCommand)(input));
      // Whoever ignores the condition gives the next version.
      if (reply.ETag !== etag) throw unavailable(failureOf({ name: 'Replaced' }), `The object ${key} could not be read`);
      return reply.Body!.transformToByteArray();
    };
    return { bytes: await restOf(first, part), etag, checksum: checksum ?? (await this.#checksumOf(key, version)) };
  }

  async #firstPart(
    key: string,
    version: string | undefined,
  ): Promise<{ first: FirstPart; etag: string; checksum: string | undefined }> {
    const whole = { ...this.#at(key), ChecksumMode: 'ENABLED' as const, ...(version !== undefined && { IfMatch: version }) };
    const get = (range?: string) => this.#client.send(new (sdk().GetObjectCommand)({ ...whole, ...(range && { Range: range }) }));
    // S3 answers 416 to any range of an empty object.
    const reply = await get(rangeHeader({ start: 0, end: PART_BYTES })).catch(error => {
      if (failureOf(error).status === 416) return get();
      throw error;
    });
    const bytes = await reply.Body!.transformToByteArray();
    const totalBytes = totalOf(reply.ContentRange) ?? bytes.length;
    // Of a part only our own copy is sure to be that of the whole.
    const checksum = reply.Metadata?.[CHECKSUM_METADATA] ?? (totalBytes === bytes.length ? reply.ChecksumCRC32C : undefined);
    return { first: { bytes, totalBytes }, etag: reply.ETag ?? '', checksum };
  }

  async #checksumOf(key: string, version: string | undefined): Promise<string | undefined> {
    const input = { ...this.#at(key), ChecksumMode: 'ENABLED' as const, ...(version !== undefined && { IfMatch: version }) };
    return (await this.#client.send(new (sdk().HeadObjectCommand)(input))).ChecksumCRC32C;
  }

  async #getRange(key: string, range: ByteRange): Promise<StoredObject | null> {
    // HTTP cannot ask for no bytes, and S3 answers 416 to a range that begins at or after the end.
    if (range.start < range.end) {
      const input = { ...this.#at(key), Range: rangeHeader(range) };
      const found = await this.#reading(key, async () => {
        const reply = await this.#client.send(new (sdk().GetObjectCommand)(input));
        return { bytes: await reply.Body!.transformToByteArray(), etag: reply.ETag ?? '' };
      }, [416]);
      if (found !== null) return found;
    }
    const found = await this.head(key);
    return found === null ? null : { bytes: new Uint8Array(0), etag: found.etag };
  }

  async #listOnce(
    prefix: string,
    after: string | undefined,
    limit: number,
  ): Promise<{ objects: ListedObject[]; last: string | undefined; more: boolean }> {
    try {
      const reply = await this.#client.send(
        new (sdk().ListObjectsV2Command)({
          Bucket: this.#bucket,
          Prefix: prefix,
          MaxKeys: limit,
          EncodingType: 'url',
          ...(after === undefined ? {} : { StartAfter: this.#base + after }),
        }),
      );
      const decode = reply.EncodingType === 'url' ? decodeKey : (key: string) => key;
      const objects = (reply.Contents ?? []).map(({ Key, Size }) => ({
        key: decode(Key ?? '').slice(this.#base.length),
        size: Size ?? 0,
      }));
      return { objects, last: objects.at(-1)?.key ?? after, more: reply.IsTruncated === true && objects.length > 0 };
    } catch (error) {
      throw unavailable(failureOf(error), `The objects below ${JSON.stringify(prefix)} could not be listed`);
    }
  }

  async #deleteSome(keys: readonly string[]): Promise<void> {
    const what = `${keys.length} objects could not be deleted`;
    let errors: { Code?: string | undefined }[];
    try {
      const Objects = keys.map(key => ({ Key: this.#base + key }));
      const input = { Bucket: this.#bucket, Delete: { Objects, Quiet: true } };
      errors = (await this.#client.send(new (sdk().DeleteObjectsCommand)(input))).Errors ?? [];
    } catch (error) {
      throw unavailable(failureOf(error), what);
    }
    const failed = errors.find(({ Code }) => Code !== 'NoSuchKey');
    if (failed !== undefined) throw unavailable(failureOf({ name: failed.Code, $metadata: { httpStatusCode: 200 } }), what);
  }

  /** Null for a missing key, and for the further statuses named. A missing bucket is an error, not an absent object. */
  async #reading<T>(key: string, read: () => Promise<T>, absentStatuses: readonly number[] = []): Promise<T | null> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof TailwaterError) throw error;
      if (isSdkChecksumMismatch(error)) throw damaged(key, 'fails its checksum');
      const failure = failureOf(error);
      if (isMissingKey(failure) || absentStatuses.includes(failure.status ?? 0)) return null;
      throw unavailable(failure, `The object ${key} could not be read`);
    }
  }

  async #requireNoRetries(): Promise<void> {
    const attempts = await this.#client.config.maxAttempts();
    if (attempts === 1) return;
    throw new TailwaterError('TW_SETTING', {
      detail: `The S3 client makes up to ${attempts} attempts; set maxAttempts to 1, since repeated conditional puts meet their own effect.`,
    });
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#base + key };
  }
}

function rangeHeader({ start, end }: ByteRange): string {
  return `bytes=${start}-${end - 1}`;
}

function encryptionHeaders(
  encryption: Encryption | undefined,
): Pick<PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId'> {
  if (encryption === undefined) return {};
  if (encryption.kind === 's3') return { ServerSideEncryption: 'AES256' };
  return { ServerSideEncryption: 'aws:kms', ...(encryption.keyId !== undefined && { SSEKMSKeyId: encryption.keyId }) };
}

function isMissingKey({ status, code }: S3Failure): boolean {
  return status === 404 && code !== 'NoSuchBucket';
}

function isSdkChecksumMismatch(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Checksum mismatch');
}

/** S3's `encoding-type=url` is a form encoding: spaces come as plus signs. */
function decodeKey(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}

function encodeChecksum(bytes: Uint8Array): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32c(bytes));
  return checksum.toString('base64');
}

function damaged(key: string, problem: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `The object ${key} ${problem}.`, data: { key } });
}
