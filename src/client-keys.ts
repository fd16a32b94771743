import type { HttpRequest } from './client-transport.ts';
import type { AccessKeyInfo, AccessKeyInput, KeysApi, NewAccessKey } from './server/index.ts';

interface Sender {
  json<T>(request: HttpRequest): Promise<T>;
  text(request: HttpRequest): Promise<string>;
}

/** The keys of a deployment, over HTTP. */
export class ClientKeys implements KeysApi {
  readonly #sender: Sender;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  create(input: AccessKeyInput): Promise<NewAccessKey> {
    const headers = { 'content-type': 'application/json' };
    return this.#sender.json({ method: 'POST', path: '/v1/keys', headers, body: JSON.stringify(input), repeatable: false });
  }

  async list(): Promise<AccessKeyInfo[]> {
    return (await this.#sender.json<{ keys: AccessKeyInfo[] }>({ method: 'GET', path: '/v1/keys', repeatable: true })).keys;
  }

  async remove(id: string): Promise<void> {
    const path = `/v1/keys/${encodeURIComponent(id.toWellFormed())}`;
    await this.#sender.text({ method: 'DELETE', path, repeatable: false });
  }
}
