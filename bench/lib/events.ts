/** Deterministic events of a given size, as NDJSON lines. */
const encoder = new TextEncoder();
const CITIES = ['Lisbon', 'Osaka', 'Quito', 'Tunis', 'Oslo', 'Perth', 'Lima', 'Riga'];
const WORDS =
  'order shipped delayed courier parcel refund invoice customer warehouse damaged replacement address payment declined retry support agent waiting delivery window tracking number label return policy battery charger cable screen keyboard broken missing wrong colour size blue red green large small'.split(
    ' ',
  );

/** About 300 bytes: six scalar fields and a filler text. */
export function eventLine(index: number, bytes = 300): string {
  const head = `{"id":${index},"user":"user-${index % 5000}","city":"${CITIES[index % 8]}","amount":${((index * 7919) % 100000) / 100},"ok":${index % 3 === 0},"at":${1_700_000_000_000 + index},"note":"`;
  return `${head}${filler(index, bytes - head.length - 3)}"}\n`;
}

export function ndjson(first: number, count: number, bytes = 300): Uint8Array {
  let text = '';
  for (let index = first; index < first + count; index++) text += eventLine(index, bytes);
  return encoder.encode(text);
}

/** Words in a deterministic order, about `length` characters. */
export function filler(seed: number, length: number): string {
  let text = '';
  let state = (seed * 2654435761) >>> 0;
  while (text.length < length) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += `${WORDS[(state >>> 8) % WORDS.length]}${(state >>> 16) % 50} `;
  }
  return text.slice(0, Math.max(0, length));
}
