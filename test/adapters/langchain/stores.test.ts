import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { StringOutputParser } from '@langchain/core/output_parsers';
import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts';
import { RunnablePassthrough, RunnableSequence, RunnableWithMessageHistory } from '@langchain/core/runnables';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import { describe, expect, test } from 'vitest';
import {
  TailwaterChatMessageHistory,
  TailwaterRecordManager,
  TailwaterRetriever,
  TailwaterStore,
} from '../../../src/adapters/langchain/index.ts';
import type { JsonValue } from '../../../src/index.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';
import { PLACES, withApi } from './support.ts';

async function keysOf(store: TailwaterStore, prefix?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of store.yieldKeys(prefix)) keys.push(key);
  return keys.sort();
}

/** The cases of langchain-tests (Python, `integration_tests/base_store.py`) as facts. */
describe.each(PLACES)('TailwaterStore, %s', place => {
  test('is empty at first, also after it was asked', () =>
    withApi(place, async client => {
      const store = new TailwaterStore({ client, stream: 'kv' });
      expect(await store.mget(['foo', 'bar', 'buzz'])).toEqual([undefined, undefined, undefined]);
      expect(await keysOf(store)).toEqual([]);
    }));

  test('gives back what was set, for every kind of value, before and after compaction', () =>
    withApi(place, async client => {
      const store = new TailwaterStore<JsonValue | Uint8Array>({ client, stream: 'kv' });
      const values: [string, JsonValue | Uint8Array][] = [
        ['text', 'one'],
        ['number', 2.5],
        ['nothing', null],
        ['list', [1, 'two', { three: 3 }]],
        ['bytes', new Uint8Array([0, 255, 128])],
        ['looks like bytes', { $bytes: 'AP+A' }],
        ['', 'the empty key'],
        ['ключ/🌊', 'any text is a key'],
      ];
      await store.mset(values);
      const keys = values.map(([key]) => key);
      expect(await store.mget([...keys, 'none'])).toEqual([...values.map(([, value]) => value), undefined]);
      await client.compact('kv');
      expect(await store.mget(keys)).toEqual(values.map(([, value]) => value));
    }));

  test('sets again, deletes, and answers the same key twice', () =>
    withApi(place, async client => {
      const store = new TailwaterStore({ client, stream: 'kv' });
      await store.mset([
        ['foo', 1],
        ['bar', 2],
      ]);
      await store.mset([['foo', 3]]);
      expect(await store.mget(['foo', 'bar', 'foo'])).toEqual([3, 2, 3]);
      await store.mdelete(['foo', 'none']);
      expect(await store.mget(['foo', 'bar'])).toEqual([undefined, 2]);
      expect(await keysOf(store)).toEqual(['bar']);
    }));

  test('yields keys by prefix', () =>
    withApi(place, async client => {
      const store = new TailwaterStore({ client, stream: 'kv' });
      await store.mset([
        ['foo', 1],
        ['foobar', 2],
        ['bar', 3],
      ]);
      expect(await keysOf(store, 'foo')).toEqual(['foo', 'foobar']);
      expect(await keysOf(store)).toEqual(['bar', 'foo', 'foobar']);
    }));
});

describe.each(PLACES)('TailwaterChatMessageHistory, %s', place => {
  test('keeps every kind of message in order, sessions apart, and clears one of them', () =>
    withApi(place, async client => {
      const one = new TailwaterChatMessageHistory({ client, stream: 'chat', session: 'one' });
      const two = new TailwaterChatMessageHistory({ client, stream: 'chat', session: 'two' });
      const messages = [
        new SystemMessage('Be brief.'),
        new HumanMessage('Where is my order?'),
        new AIMessage({ content: '', tool_calls: [{ id: 'c1', name: 'search', args: { q: 'order' } }] }),
        new ToolMessage({ tool_call_id: 'c1', content: 'Shipped.' }),
        new AIMessage('It was shipped.'),
      ];
      await one.addMessages(messages.slice(0, 2));
      await two.addMessage(new HumanMessage('Hello'));
      await one.addMessages(messages.slice(2));
      const shown = (await one.getMessages()).map(message => [message.getType(), message.content]);
      expect(shown).toEqual(messages.map(message => [message.getType(), message.content]));
      expect(((await one.getMessages())[2] as AIMessage).tool_calls?.[0].args).toEqual({ q: 'order' });
      await client.compact('chat');
      expect(await one.getMessages()).toHaveLength(5);
      await one.clear();
      expect(await one.getMessages()).toEqual([]);
      expect(await two.getMessages()).toHaveLength(1);
    }));

  test('a chain with history remembers the turns before', () =>
    withApi(place, async client => {
      const model = new FakeListChatModel({ responses: ['Hi Ann.', 'You are Ann.'] });
      const prompt = ChatPromptTemplate.fromMessages([new MessagesPlaceholder('history'), ['human', '{input}']]);
      const chain = new RunnableWithMessageHistory({
        runnable: prompt.pipe(model),
        getMessageHistory: session => new TailwaterChatMessageHistory({ client, stream: 'chat', session }),
        inputMessagesKey: 'input',
        historyMessagesKey: 'history',
      });
      const config = { configurable: { sessionId: 'ann' } };
      await chain.invoke({ input: 'I am Ann.' }, config);
      await chain.invoke({ input: 'Who am I?' }, config);
      const history = new TailwaterChatMessageHistory({ client, stream: 'chat', session: 'ann' });
      expect((await history.getMessages()).map(({ content }) => content)).toEqual([
        'I am Ann.',
        'Hi Ann.',
        'Who am I?',
        'You are Ann.',
      ]);
    }));
});

describe.each(PLACES)('TailwaterRetriever, %s', place => {
  test('finds what was written a moment ago by hybrid search, and says where it came from and how fresh it is', () =>
    withApi(place, async client => {
      await client.createStream('tickets', {
        kind: 'upsert',
        key: 'id',
        search: { fields: ['title', 'text'] },
        embed: { fields: ['text'] },
      });
      const tickets = Array.from({ length: 8 }, (_, at) => ({
        value: { id: `t${at}`, title: `Ticket ${at}`, text: `note${at} about parcels` },
      }));
      await client.append('tickets', tickets);
      await client.compact('tickets');
      await client.append('tickets', [{ value: { id: 'new', title: 'Lost', text: 'a lost parcel, note3' } }]);
      const retriever = new TailwaterRetriever({ client, stream: 'tickets', k: 3 });
      const found = await retriever.invoke('lost note3');
      expect(found).toHaveLength(3);
      expect(found[0]).toMatchObject({ id: 'new', pageContent: 'Lost\na lost parcel, note3' });
      const { tailwater } = found[0].metadata;
      expect(tailwater).toMatchObject({ stream: 'tickets', id: 'new', tier: 'tail', freshness: { complete: true } });
      const filtered = new TailwaterRetriever({
        client,
        stream: 'tickets',
        filter: { id: { $in: ['t1', 't2'] } },
        contentFields: ['title'],
      });
      expect((await filtered.invoke('parcels')).map(({ pageContent }) => pageContent).sort()).toEqual(['Ticket 1', 'Ticket 2']);
      await client.append('tickets', [{ key: 'new', value: null }]);
      const then = new TailwaterRetriever({ client, stream: 'tickets', k: 3, consistency: { asOf: tailwater.token } });
      expect((await then.invoke('lost note3')).map(({ id }) => id)).toEqual(found.map(({ id }) => id));
    }));

  test('serves a chain', () =>
    withApi(place, async client => {
      await client.createStream('facts', { kind: 'append', search: { fields: ['text'] } });
      await client.append('facts', [{ value: { text: 'The harbour opens at six.' } }]);
      const retriever = new TailwaterRetriever({ client, stream: 'facts', k: 1 });
      const prompt = ChatPromptTemplate.fromTemplate('Context: {context}\nQuestion: {question}');
      const asked: string[] = [];
      const chain = RunnableSequence.from([
        {
          context: retriever.pipe(found => found.map(({ pageContent }) => pageContent).join('\n')),
          question: new RunnablePassthrough<string>(),
        },
        prompt,
        value => {
          asked.push(value.toString());
          return value;
        },
        new FakeListChatModel({ responses: ['At six.'] }),
        new StringOutputParser(),
      ]);
      expect(await chain.invoke('When does the harbour open?')).toBe('At six.');
      expect(asked[0]).toContain('The harbour opens at six.');
    }));
});

describe('TailwaterRecordManager', () => {
  test('remembers keys, groups and times, and lists by them', () =>
    withApi('embedded', async client => {
      const clock = new VirtualClock();
      const manager = new TailwaterRecordManager({ client, stream: 'index', namespace: 'a', clock });
      const other = new TailwaterRecordManager({ client, stream: 'index', namespace: 'b', clock });
      await manager.createSchema();
      await manager.createSchema();
      expect(await manager.listKeys()).toEqual([]);
      await manager.update(['k1', 'k2'], { groupIds: ['g1', null] });
      await other.update(['k1']);
      const middle = await manager.getTime();
      await clock.advance(10);
      await manager.update(['k2', 'k3'], { groupIds: ['g2', 'g1'] });
      expect(await manager.exists(['k1', 'k2', 'k3', 'k4'])).toEqual([true, true, true, false]);
      expect((await manager.listKeys()).sort()).toEqual(['k1', 'k2', 'k3']);
      expect(await manager.listKeys({ before: middle + 5 })).toEqual(['k1']);
      expect((await manager.listKeys({ after: middle })).sort()).toEqual(['k2', 'k3']);
      expect((await manager.listKeys({ groupIds: ['g1'] })).sort()).toEqual(['k1', 'k3']);
      expect(await manager.listKeys({ limit: 2 })).toHaveLength(2);
      await expect(manager.update(['k1'], { timeAtLeast: middle + 1000 })).rejects.toThrow(/clock went back/);
      await expect(manager.update(['k1'], { groupIds: [] })).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
      await manager.deleteKeys(['k1']);
      expect(await manager.exists(['k1'])).toEqual([false]);
      expect(await other.exists(['k1'])).toEqual([true]);
    }));
});
