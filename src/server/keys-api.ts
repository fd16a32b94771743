import type { AccessKeyInfo, AccessKeyInput, NewAccessKey } from './access/access-key.ts';

/** The keys of a deployment whose servers ask for one. */
export interface KeysApi {
  /** The answer has the key itself, this once. TW_BAD_REQUEST. */
  create(input: AccessKeyInput): Promise<NewAccessKey>;
  list(): Promise<AccessKeyInfo[]>;
  /** Every node refuses the key within 5 seconds. TW_API_KEY_NOT_FOUND. */
  remove(id: string): Promise<void>;
}
