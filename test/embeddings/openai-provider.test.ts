import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createProvider } from '../../src/embeddings/index.ts';
import { OpenAiProvider } from '../../src/embeddings/openai-provider.ts';
import { answers, EmbeddingServer, expectedVector, hangs, refuses } from './embedding-server.ts';

const KEY = 'sk-very-secret';
let server: EmbeddingServer;

beforeEach(async () => {
  server = await EmbeddingServer.start();
});
afterEach(() => server.stop());

function provider(timeoutMs = 5000): OpenAiProvider {
  return new OpenAiProvider({ model: 'text-embedding-3-small', dimensions: 4, baseURL: server.baseURL, apiKey: KEY, timeoutMs });
}

describe('the openai provider', () => {
  test('returns unit vectors in the order of the texts, whatever the order of the answer', async () => {
    const vectors = await provider().embed(['apple', 'fig', 'banana']);
    const expected = ['apple', 'fig', 'banana'].flatMap(text => expectedVector(text, 4));
    expect([...vectors].every((x, index) => Math.abs(x - expected[index]) < 1e-6)).toBe(true);
    expect(server.requests[0]).toMatchObject({ model: 'text-embedding-3-small', dimensions: 4, authorization: `Bearer ${KEY}` });
  });

  test.each([
    ['retry-after', '7', 7000],
    ['retry-after-ms', '120', 120],
  ])('hands on %s of a 429', async (name, value, retryAfterMs) => {
    server.behaviours.push(refuses(429, { [name]: value }));
    await expect(provider().embed(['x'])).rejects.toMatchObject({
      code: 'TW_EMBEDDING_FAILED',
      retryAfterMs,
      data: { status: 429 },
    });
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    ['too few dimensions', [{ index: 0, embedding: [1, 2] }]],
    ['too few vectors', []],
    ['numbers that are none', [{ index: 0, embedding: [1, null, 'x', 2] }]],
    ['a place that does not exist', [{ index: 5, embedding: [1, 2, 3, 4] }]],
  ])('refuses an answer with %s', async (_what, data) => {
    server.behaviours.push(answers(data));
    await expect(provider().embed(['x'])).rejects.toMatchObject({ code: 'TW_EMBEDDING_FAILED' });
  });

  test('gives up on a service that does not answer', async () => {
    server.behaviours.push(hangs);
    await expect(provider(50).embed(['x'])).rejects.toMatchObject({ code: 'TW_EMBEDDING_FAILED' });
  });

  test('never shows the key in an error', async () => {
    server.behaviours.push(refuses(401));
    const error: Error = await provider()
      .embed(['x'])
      .then(
        () => new Error('none'),
        thrown => thrown,
      );
    expect(JSON.stringify([error.message, error, String(error.stack), error.cause ?? null])).not.toContain(KEY);
  });
});

describe('createProvider', () => {
  test('names the providers that exist', () => {
    const create = (provider: string, model: string) => () => createProvider({ provider, model, dimensions: 8 }, {});
    expect(create('hush', 'hash-v1')).toThrowError(/there are given, hash, openai/);
    expect(create('hash', 'hash-v9')).toThrowError(/it has hash-v1/);
  });
});
