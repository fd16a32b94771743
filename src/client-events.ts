/** One server-sent event. `id` is null when the event brought none. */
export interface ServerEvent {
  event: string;
  data: string;
  id: string | null;
}

/** Takes a text/event-stream apart (WHATWG HTML, section 9.2.6), chunk by chunk. An event that was cut off at the end is dropped. */
export class EventParser {
  readonly #decoder = new TextDecoder();
  #rest = '';
  #event = 'message';
  #data: string[] = [];
  #id: string | null = null;

  push(chunk: Uint8Array): ServerEvent[] {
    const text = this.#rest + this.#decoder.decode(chunk, { stream: true });
    // A trailing CR may be the first half of CR LF: it waits for the next chunk.
    const end = text.endsWith('\r') ? text.length - 1 : text.length;
    const lines = text.slice(0, end).split(/\r\n|\r|\n/);
    this.#rest = lines.pop()! + text.slice(end);
    return lines.map(line => this.#line(line)).filter(event => event !== null);
  }

  #line(line: string): ServerEvent | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id') this.#id = value;
    return null;
  }

  #dispatch(): ServerEvent | null {
    const event = { event: this.#event, data: this.#data.join('\n'), id: this.#id };
    const empty = this.#data.length === 0;
    this.#event = 'message';
    this.#data = [];
    this.#id = null;
    return empty ? null : event;
  }
}
