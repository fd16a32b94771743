/** A growing byte buffer for JSON texts; `take` hands out a copy and starts over. */
export class ByteSink {
  #bytes = Buffer.allocUnsafe(1024);
  #length = 0;

  push(source: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    if (end - start < 48) {
      const bytes = this.#bytes;
      for (let from = start, to = this.#length; from < end; from++, to++) bytes[to] = source[from];
    } else {
      this.#bytes.set(source.subarray(start, end), this.#length);
    }
    this.#length += end - start;
  }

  all(source: Uint8Array): void {
    this.push(source, 0, source.length);
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  ascii(text: string): void {
    this.#reserve(text.length);
    for (let index = 0; index < text.length; index++) this.#bytes[this.#length + index] = text.charCodeAt(index);
    this.#length += text.length;
  }

  take(): Uint8Array {
    const taken = new Uint8Array(this.#length);
    taken.set(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + extra));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
