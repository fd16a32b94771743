import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../src/client.ts';
import type { DocumentAnswer, DocumentPage, QueryAnswer } from '../../src/index.ts';
import { DOCS } from './documents-support.ts';
import { type TestEngine, temporaryEngine } from './engine-support.ts';
import { problemOf, startServer, type TestServer } from './http-support.ts';

const GUIDE = '# Harbour\n\nBoats wait for the tide.\n\n## Locks\n\nThe keeper opens at dawn.\n';

async function served(work: (server: TestServer, engine: TestEngine) => Promise<void>, options = {}): Promise<void> {
  await using engine = await temporaryEngine();
  await using server = await startServer(engine.tailwater.engine, options);
  await engine.tailwater.createStream('docs', { ...DOCS, documents: {} });
  await work(server, engine);
}

const put = (server: TestServer, id: string, type: string | null, body: string | Uint8Array, query = '') =>
  server.fetch(`/v1/streams/docs/documents/${encodeURIComponent(id)}${query}`, {
    method: 'PUT',
    body,
    headers: type === null ? {} : { 'content-type': type },
  });

/** About 13 bytes each, none twice. */
const numbered = (word: string, count: number): string => Array.from({ length: count }, (_, at) => `${word} ${at}.`).join(' ');

describe('documents over HTTP', () => {
  test('are put as Markdown, text or JSON, read, listed and deleted', () =>
    served(async server => {
      const answer = await put(server, 'guides/harbour.md', 'text/markdown; charset=utf-8', GUIDE, '?url=https://example.com/h');
      expect(answer.headers.get('tailwater-token')).toBeTruthy();
      expect(await answer.json()).toMatchObject({
        document: 'guides/harbour.md',
        version: 1,
        unchanged: false,
        chunks: { total: 2 },
      });
      await put(server, 'plain', 'text/plain', '# no heading');
      await put(server, 'none', 'text/plain', '');
      await put(server, 'json', 'application/json', JSON.stringify({ markdown: GUIDE, title: 'Mine', metadata: { lang: 'en' } }));
      const found = (await (await server.fetch('/v1/streams/docs/documents/guides%2Fharbour.md')).json()) as DocumentAnswer;
      expect(found).toMatchObject({ title: 'Harbour', url: 'https://example.com/h', markdown: true, text: GUIDE });
      expect(found.chunks.map(chunk => chunk.heading)).toEqual([['Harbour'], ['Harbour', 'Locks']]);
      expect(await (await server.fetch('/v1/streams/docs/documents/none')).json()).toMatchObject({ text: '', chunks: [] });
      const page = (await (await server.fetch('/v1/streams/docs/documents?limit=3')).json()) as DocumentPage;
      expect(page.documents.map(each => each.document)).toEqual(['guides/harbour.md', 'plain', 'none']);
      const rest = await (await server.fetch(`/v1/streams/docs/documents?after=${page.next}`)).json();
      expect(rest).toMatchObject({ documents: [{ document: 'json', title: 'Mine', metadata: { lang: 'en' } }], next: null });
      const gone = await server.fetch('/v1/streams/docs/documents/json', { method: 'DELETE' });
      expect(await gone.json()).toMatchObject({ document: 'json', chunks: { removed: 2 } });
      const searched = await server.post('/v1/streams/docs/query', { text: 'keeper', mode: 'text' });
      const { hits } = (await searched.json()) as QueryAnswer;
      expect(hits).toMatchObject([{ source: { document: 'guides/harbour.md', heading: ['Harbour', 'Locks'] } }]);
      expect(hits).toHaveLength(1);
    }));

  test('are the same through the client, which reads what it wrote', () =>
    served(async (server, { tailwater }) => {
      const client = new TailwaterClient({ url: server.url });
      const written = await client.putDocument('docs', 'a/ü?&%.md', { markdown: GUIDE, metadata: { n: 1 } }, { ifVersion: 0 });
      expect(await client.putDocument('docs', 'a/ü?&%.md', { markdown: GUIDE, metadata: { n: 1 } })).toMatchObject({
        unchanged: true,
      });
      const { freshness: _one, ...overHttp } = await client.getDocument('docs', 'a/ü?&%.md', {
        consistency: { asOf: written.token },
      });
      const { freshness: _other, ...embedded } = await tailwater.getDocument('docs', 'a/ü?&%.md', {
        consistency: { asOf: written.token },
      });
      expect(overHttp).toEqual(embedded);
      expect((await client.listDocuments('docs', { limit: 1 })).documents).toEqual(
        (await tailwater.listDocuments('docs')).documents,
      );
      expect((await client.query('docs', { text: 'tide' })).hits[0].source).toEqual(
        (await tailwater.query('docs', { text: 'tide' })).hits[0].source,
      );
      await client.deleteDocument('docs', 'a/ü?&%.md', { ifVersion: written.version });
      await expect(client.getDocument('docs', 'a/ü?&%.md')).rejects.toMatchObject({ code: 'TW_DOCUMENT_NOT_FOUND' });
      for (const id of ['', '.', '..'])
        await expect(client.deleteDocument('docs', id)).rejects.toMatchObject({ code: 'TW_DOCUMENT_ID' });
      await client.close();
    }));

  test('that cannot be are refused with a reason, and nothing is written', () =>
    served(async (server, { tailwater }) => {
      await put(server, 'kept', 'text/markdown', GUIDE);
      const before = (await tailwater.getStream('docs')).head;
      const json = (value: unknown) => put(server, 'd', 'application/json', JSON.stringify(value));
      const refused: [string, Promise<Response>][] = [
        ['TW_BAD_REQUEST', put(server, 'd', 'text/plain', new Uint8Array([0x61, 0xff, 0xfe]))],
        ['TW_BAD_REQUEST', put(server, 'd', 'application/json', '{"text":"\\ud800"}')],
        ['TW_BAD_REQUEST', json({})],
        ['TW_BAD_REQUEST', json({ text: 'a', markdown: 'b' })],
        ['TW_BAD_REQUEST', json({ text: 1 })],
        ['TW_BAD_REQUEST', json({ text: 'a', colour: 'red' })],
        ['TW_BAD_REQUEST', json({ text: 'a', metadata: ['a'] })],
        ['TW_BAD_REQUEST', json({ text: 'a', metadata: { a: 'x'.repeat(20_000) } })],
        ['TW_BAD_REQUEST', json({ text: 'a', chunking: { chunkTokens: 1 } })],
        ['TW_BAD_REQUEST', json({ text: 'a', chunking: { chunkTokens: 100, overlapTokens: 60 } })],
        ['TW_BAD_REQUEST', json([])],
        ['TW_MALFORMED_JSON', put(server, 'd', 'application/json', '{"text":')],
        ['TW_UNSUPPORTED_MEDIA_TYPE', put(server, 'd', 'text/plain; charset=latin1', 'a')],
        ['TW_UNSUPPORTED_MEDIA_TYPE', put(server, 'd', 'text/html', '<p>a</p>')],
        ['TW_UNSUPPORTED_MEDIA_TYPE', put(server, 'd', null, new Uint8Array([0x61]))],
        ['TW_DOCUMENT_ID', put(server, 'a#b', 'text/plain', 'a')],
        ['TW_DOCUMENT_ID', put(server, 'a\nb', 'text/plain', 'a')],
        ['TW_DOCUMENT_ID', put(server, 'x'.repeat(513), 'text/plain', 'a')],
        ['TW_DOCUMENT_TOO_LARGE', put(server, 'd', 'text/plain', 'x'.repeat(3 * 1024 * 1024 + 1))],
        ['TW_DOCUMENT_TOO_LARGE', put(server, 'd', 'text/plain', numbered('word', 220_000))],
        ['TW_VERSION_MISMATCH', put(server, 'd', 'text/plain', 'a', '?ifVersion=4')],
        ['TW_BAD_REQUEST', put(server, 'd', 'text/plain', 'a', '?ifVersion=x')],
        ['TW_BAD_REQUEST', server.fetch('/v1/streams/docs/documents?limit=0')],
        ['TW_BAD_REQUEST', server.fetch('/v1/streams/docs/documents?after=x')],
        ['TW_DOCUMENT_NOT_FOUND', server.fetch('/v1/streams/docs/documents/absent')],
        ['TW_DOCUMENT_NOT_FOUND', server.fetch('/v1/streams/docs/documents/absent', { method: 'DELETE' })],
        ['TW_STREAM_NOT_FOUND', server.fetch('/v1/streams/absent/documents/d')],
        ['TW_UNSUPPORTED_MEDIA_TYPE', server.post('/v1/streams/docs/records', '{"a":1}', { 'content-type': 'text/plain' })],
      ];
      for (const [index, [code, response]] of refused.entries()) {
        const problem = await problemOf(await response);
        expect([index, problem.code]).toEqual([index, code]);
      }
      expect((await tailwater.getStream('docs')).head).toEqual(before);
      expect((await tailwater.getDocument('docs', 'kept')).text).toBe(GUIDE);
    }));

  test('fit one segment, or leave the version before as it is', () =>
    served(async (server, { tailwater }) => {
      const large = await put(server, 'd', 'text/plain', gzipSync(numbered('tide', 6_000)));
      expect((await problemOf(large)).code).toBe('TW_BAD_REQUEST');
      const first = await put(server, 'd', 'text/plain', numbered('tide', 6_000));
      expect(first.status).toBe(200);
      const problem = await problemOf(await put(server, 'd', 'text/plain', numbered('rain', 260_000)));
      expect(problem.code).toBe('TW_DOCUMENT_TOO_LARGE');
      expect((await tailwater.getDocument('docs', 'd')).text).toBe(numbered('tide', 6_000));
    }));

  test('are not for streams that were not made for them', () =>
    served(async (server, { tailwater }) => {
      await tailwater.createStream('events', { kind: 'append' });
      await tailwater.createStream('rows', { kind: 'upsert', search: { fields: ['text'] } });
      for (const stream of ['events', 'rows']) {
        for (const method of ['GET', 'DELETE']) {
          const answer = await server.fetch(`/v1/streams/${stream}/documents/d`, { method });
          expect((await problemOf(answer)).code).toBe('TW_NOT_DOCUMENTS');
        }
        await expect(tailwater.putDocument(stream, 'd', { text: 'a' })).rejects.toMatchObject({ code: 'TW_NOT_DOCUMENTS' });
        expect((await tailwater.getStream(stream)).rows).toBe(0);
      }
      const wrong = [
        { kind: 'append' },
        { key: 'id' },
        { schema: { type: 'object' } },
        { retention: 'P1D' },
        { ttl: 'P1D' },
        { documents: { chunkTokens: 31 } },
        { documents: { size: 1 } },
      ];
      for (const settings of wrong) {
        const body = JSON.stringify({ kind: 'upsert', documents: {}, ...settings });
        const answer = await server.fetch('/v1/streams/wrong', {
          method: 'PUT',
          body,
          headers: { 'content-type': 'application/json' },
        });
        expect((await problemOf(answer)).code, body).toBe('TW_BAD_REQUEST');
      }
      for (const changes of [{ retention: 'P1D' }, { ttl: 'P1D' }]) {
        await expect(tailwater.changeStream('docs', changes)).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
      }
    }));
});
