import { TailwaterError } from '../../base/index.ts';
import { hashOfKey, isKeyOf, SCOPES, type Scope } from './access-key.ts';
import type { AccessKeys } from './access-keys.ts';

/** Who sent a request. */
export interface Identity {
  /** Of the key; `admin` for the administrator's. */
  id: string;
  name: string;
  scopes: readonly Scope[];
  /** Beginnings of the names of the only streams that it may touch; null: everything. */
  streams: readonly string[] | null;
}

const BEARER = /^Bearer +([\x21-\x7e]{1,512}) *$/i;

/** Tells who sent a request by its `Authorization: Bearer <key>`: the administrator, whose key is in the settings, or a key of the deployment. */
export class Authenticator {
  readonly #keys: Pick<AccessKeys, 'find'>;
  readonly #adminHash: string;

  constructor(keys: Pick<AccessKeys, 'find'>, adminKey: string) {
    this.#keys = keys;
    this.#adminHash = hashOfKey(adminKey);
  }

  /** Throws TW_UNAUTHENTICATED. What is wrong with a key is not told. */
  async identify(authorization: string | undefined): Promise<Identity> {
    const text = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
    if (text === undefined) {
      throw new TailwaterError('TW_UNAUTHENTICATED', { detail: 'The request has no header `Authorization: Bearer <key>`.' });
    }
    if (isKeyOf(this.#adminHash, text)) return { id: 'admin', name: 'admin', scopes: SCOPES, streams: null };
    const found = await this.#keys.find(text);
    if (found === null) throw new TailwaterError('TW_UNAUTHENTICATED', { detail: 'The key is not known here, or has expired.' });
    return found;
  }
}
