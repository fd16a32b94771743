declare global {
  interface JSON {
    /** ECMAScript's JSON.parse source text access, in Node since 22; the compiler's libraries do not know it yet. */
    rawJSON(text: string): object;
    parse(text: string, reviver: (name: string, value: unknown, context: { source?: string }) => unknown): unknown;
  }
}

/** JSON whose numbers print with the digits they were written with, also those a double cannot hold. */
export function parseExact(text: string): unknown {
  return JSON.parse(text, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined && !Number.isSafeInteger(value) && String(value) !== source
      ? JSON.rawJSON(source)
      : value,
  );
}
