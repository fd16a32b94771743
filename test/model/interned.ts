/** Small numbers for texts: equal texts, equal numbers. States are compared exactly, without the cost of long keys. */
export class Interned {
  readonly #ids = new Map<string, number>();

  id(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#ids.size;
      this.#ids.set(text, id);
    }
    return id;
  }
}

/** Contents of objects, by number. The number is also the etag, as on stores whose etag is a digest. */
export class Contents {
  readonly #ids = new Interned();
  readonly #bytes: Uint8Array[] = [];

  id(bytes: Uint8Array): number {
    const id = this.#ids.id(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
    this.#bytes[id] ??= bytes.slice();
    return id;
  }

  bytes(id: number): Uint8Array {
    return this.#bytes[id];
  }
}
