import { beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8, seededRandom } from '../../src/base/index.ts';
import { type CreateOutcome, FileJournal, type Journal, JournalReplica, ObjectJournal } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { SimFileSystem } from '../harness/sim-file-system.ts';
import { type Tally, tallyMachine, tallyProposal } from './tally-machine.ts';

let store: MemoryObjectStore;

beforeEach(() => {
  store = new MemoryObjectStore();
});

/** An ObjectJournal whose calls are counted and can be made to answer something else, once. */
class ScriptedJournal extends ObjectJournal {
  readonly calls: string[] = [];
  readonly nextCreates: ((create: () => Promise<CreateOutcome>) => Promise<CreateOutcome>)[] = [];
  beforeRead: (seq: number) => Promise<void> = async () => {};

  override create(seq: number, bytes: Uint8Array): Promise<CreateOutcome> {
    this.calls.push(`create ${seq}`);
    const create = (): Promise<CreateOutcome> => super.create(seq, bytes);
    const scripted = this.nextCreates.shift();
    return scripted ? scripted(create) : create();
  }

  override async read(seq: number): Promise<Uint8Array | null> {
    this.calls.push(`read ${seq}`);
    await this.beforeRead(seq);
    return super.read(seq);
  }

  override async floor(): Promise<number> {
    this.calls.push('floor');
    return super.floor();
  }
}

const UNKNOWN: CreateOutcome = { kind: 'unknown', cause: new Error('lost reply') };

function scripted(): ScriptedJournal {
  return new ScriptedJournal(store, 'log');
}

function open(
  journal: Journal,
  options: { checkpointEvery?: number; forgetWriters?: boolean } = {},
): Promise<JournalReplica<Tally>> {
  return JournalReplica.open(journal, tallyMachine(options), options);
}

async function appendAs(replica: JournalReplica<Tally>, writer: string, first: number, last: number): Promise<void> {
  for (let sequence = first; sequence <= last; sequence++) await replica.propose(tallyProposal(writer, sequence));
}

/** Everything up to the present head into a checkpoint, and the entries below it deleted. */
async function compactAway(journal: Journal): Promise<void> {
  const replica = await open(journal);
  await replica.checkpoint();
  await journal.raiseFloor(replica.seq + 1);
  await journal.collect();
}

describe('propose', () => {
  test('returns the result once the entry is in the journal and in the state', async () => {
    const replica = await open(scripted());
    expect(await replica.propose(tallyProposal('a', 0))).toBe(1);
    expect(await replica.propose(tallyProposal('a', 1))).toBe(2);
    expect(replica.state.applied).toEqual(['a:0', 'a:1']);
    expect((await open(scripted())).state.applied).toEqual(['a:0', 'a:1']);
  });

  test('commits proposals of one replica in the order of the calls, one at a time', async () => {
    const journal = scripted();
    const replica = await open(journal);
    const numbers = await Promise.all([0, 1, 2, 3].map(sequence => replica.propose(tallyProposal('a', sequence))));
    expect(numbers).toEqual([1, 2, 3, 4]);
    expect(replica.stats()).toMatchObject({ applied: 4, lost: 0 });
  });

  test('that has nothing to write commits nothing', async () => {
    const replica = await open(scripted());
    expect(await replica.propose(state => ({ kind: 'done', result: state.applied.length }))).toBe(0);
    expect(await scripted().read(1)).toBeNull();
  });

  test('after losing a number applies what others wrote, up to the head, and builds again on it', async () => {
    const late = await open(scripted());
    await appendAs(await open(scripted()), 'other', 0, 4);
    let builds = 0;
    const build = tallyProposal('late', 0);
    const number = await late.propose((state, seq) => {
      builds++;
      return build(state, seq);
    });
    expect([number, builds]).toEqual([6, 2]);
    expect(late.state.applied).toEqual(['other:0', 'other:1', 'other:2', 'other:3', 'other:4', 'late:0']);
  });

  test('tells listeners of every entry in order, before it resolves, and which are its own', async () => {
    const replica = await open(scripted());
    await appendAs(await open(scripted()), 'other', 0, 1);
    const seen: string[] = [];
    const stop = replica.onApplied((seq, bytes, own) => seen.push(`${seq} ${JSON.parse(fromUtf8(bytes)).writer} ${own}`));
    await replica.propose(tallyProposal('mine', 0));
    expect(seen).toEqual(['1 other false', '2 other false', '3 mine true']);
    stop();
    await replica.propose(tallyProposal('mine', 1));
    expect(seen).toHaveLength(3);
  });

  test('passes on what the builder throws, and nothing was written', async () => {
    const replica = await open(scripted());
    const refuse = replica.propose(() => {
      throw new Error('refused');
    });
    await expect(refuse).rejects.toThrow('refused');
    expect(await replica.propose(tallyProposal('a', 0))).toBe(1);
  });
});

describe('an unknown outcome', () => {
  test('is settled by reading when the entry was written after all', async () => {
    const journal = scripted();
    const replica = await open(journal);
    journal.nextCreates.push(async create => {
      await create();
      return UNKNOWN;
    });
    expect(await replica.propose(tallyProposal('a', 0))).toBe(1);
    expect(replica.state.applied).toEqual(['a:0']);
    expect(journal.calls.filter(call => call.startsWith('create'))).toEqual(['create 1']);
  });

  test('is settled by sending the same entry to the same number again when it was not', async () => {
    const journal = scripted();
    const replica = await open(journal);
    journal.nextCreates.push(async () => UNKNOWN);
    expect(await replica.propose(tallyProposal('a', 0))).toBe(1);
    expect(journal.calls.filter(call => call.startsWith('create'))).toEqual(['create 1', 'create 1']);
    expect(replica.state.applied).toEqual(['a:0']);
  });

  test('of which another took the number moves on to the next', async () => {
    const journal = scripted();
    const replica = await open(journal);
    const other = await open(scripted());
    journal.nextCreates.push(async () => {
      await other.propose(tallyProposal('other', 0));
      return UNKNOWN;
    });
    expect(await replica.propose(tallyProposal('a', 0))).toBe(2);
    expect(replica.state.applied).toEqual(['other:0', 'a:0']);
  });

  test('of an entry that a lower layer sent twice is recognised as its own', async () => {
    const journal = scripted();
    const replica = await open(journal);
    journal.nextCreates.push(async create => {
      await create();
      return create();
    });
    expect(await replica.propose(tallyProposal('a', 0))).toBe(1);
    expect(replica.state.applied).toEqual(['a:0']);
  });

  test('that has fallen below the floor is settled from the checkpoint: written', async () => {
    const journal = scripted();
    const replica = await open(journal);
    journal.nextCreates.push(async create => {
      await create();
      await appendAs(await open(scripted()), 'other', 0, 2);
      await compactAway(scripted());
      return UNKNOWN;
    });
    expect(await replica.propose(tallyProposal('a', 0))).toBe(1);
    expect(replica.state.applied).toEqual(['a:0', 'other:0', 'other:1', 'other:2']);
  });

  test('that has fallen below the floor is settled from the checkpoint: not written, and written then', async () => {
    const journal = scripted();
    const replica = await open(journal);
    journal.nextCreates.push(async () => {
      await appendAs(await open(scripted()), 'other', 0, 2);
      await compactAway(scripted());
      return UNKNOWN;
    });
    expect(await replica.propose(tallyProposal('a', 0))).toBe(4);
    expect(replica.state.applied).toEqual(['other:0', 'other:1', 'other:2', 'a:0']);
  });

  test('that not even the checkpoint can settle is reported as TW_OUTCOME_UNKNOWN', async () => {
    const journal = scripted();
    const replica = await open(journal, { forgetWriters: true });
    journal.nextCreates.push(async () => {
      await appendAs(await open(scripted()), 'other', 0, 2);
      await compactAway(scripted());
      return UNKNOWN;
    });
    await expect(replica.propose(tallyProposal('a', 0))).rejects.toMatchObject({ code: 'TW_OUTCOME_UNKNOWN' });
    expect(await replica.propose(tallyProposal('a', 1))).toBe(4);
  });

  test('that stays unknown is reported as such, and the next proposal finds out what became of it', async () => {
    const journal = scripted();
    const replica = await open(journal);
    let landed: () => Promise<CreateOutcome> = async () => UNKNOWN;
    for (let send = 0; send < 10; send++) {
      journal.nextCreates.push(async create => {
        landed = create;
        return UNKNOWN;
      });
    }
    await expect(replica.propose(tallyProposal('a', 0))).rejects.toMatchObject({ code: 'TW_OUTCOME_UNKNOWN' });
    journal.nextCreates.length = 0;
    await landed();
    expect(await replica.propose(tallyProposal('a', 1))).toBe(2);
    expect(replica.state.applied).toEqual(['a:0', 'a:1']);
  });

  test('is reported when the entry cannot be read back, and a plain failure when nothing was sent', async () => {
    const journal = scripted();
    const replica = await open(journal);
    const unavailable = new Error('no answer');
    journal.nextCreates.push(async () => {
      throw unavailable;
    });
    await expect(replica.propose(tallyProposal('a', 0))).rejects.toBe(unavailable);
    journal.nextCreates.push(async () => UNKNOWN);
    journal.beforeRead = async () => {
      throw unavailable;
    };
    await expect(replica.propose(tallyProposal('a', 0))).rejects.toMatchObject({
      code: 'TW_OUTCOME_UNKNOWN',
      cause: unavailable,
    });
    journal.beforeRead = async () => {};
    expect(await replica.propose(tallyProposal('a', 0))).toBe(1);
  });
});

describe('refresh', () => {
  test('shows everything that was committed before the call', async () => {
    const reader = await open(scripted());
    const writer = await open(scripted());
    for (let sequence = 0; sequence < 5; sequence++) {
      await writer.propose(tallyProposal('a', sequence));
      await reader.refresh();
      expect(reader.seq).toBe(sequence + 1);
    }
  });

  test('costs one probe and one reading of the floor, shared by all who came before it was sent', async () => {
    const journal = scripted();
    const replica = await open(journal);
    journal.calls.length = 0;
    await Promise.all([replica.refresh(), replica.refresh(), replica.refresh()]);
    expect(journal.calls).toEqual(['read 1', 'floor']);
  });

  test('that is asked for while a probe is under way gets a probe of its own', async () => {
    const journal = scripted();
    const reader = await open(journal);
    const writer = await open(scripted());
    let second: Promise<void> | null = null;
    journal.beforeRead = async () => {
      if (second !== null) return;
      // The first probe has been sent and is about to see nothing; this commit comes too late for it, but not for the second.
      second = writer.propose(tallyProposal('a', 0)).then(() => reader.refresh());
    };
    await reader.refresh();
    await second!;
    expect(reader.state.applied).toEqual(['a:0']);
  });

  test('loads the checkpoint when it has fallen behind the floor, and says so', async () => {
    const reader = await open(scripted());
    const reloads: string[] = [];
    reader.onReloaded((from, to) => reloads.push(`${from} -> ${to}`));
    const writer = await open(scripted());
    await appendAs(writer, 'a', 0, 9);
    await compactAway(scripted());
    await appendAs(writer, 'a', 10, 12);
    await reader.refresh();
    expect(reader.state).toEqual(writer.state);
    expect(reloads).toEqual(['0 -> 10']);
  });

  test('ignores an entry that a stalled writer created again below the floor', async () => {
    const reader = await open(scripted());
    const stalled = await open(scripted());
    await appendAs(await open(scripted()), 'a', 0, 9);
    await compactAway(scripted());
    const garbage = tallyProposal('stalled', 0)(stalled.state, 1);
    if (garbage.kind !== 'entry') throw new Error('unreachable');
    expect((await scripted().create(1, garbage.bytes)).kind).toBe('below-floor');
    await reader.refresh();
    expect(reader.state.applied).toEqual(Array.from({ length: 10 }, (_, sequence) => `a:${sequence}`));
    expect(await stalled.propose(tallyProposal('stalled', 0))).toBe(11);
  });
});

describe('checkpoints', () => {
  test('are written after every so many own commits, and the next start begins there', async () => {
    const replica = await open(scripted(), { checkpointEvery: 4 });
    await appendAs(replica, 'a', 0, 9);
    await replica.close();
    expect((await scripted().latestCheckpoint())!.seq).toBe(8);
    const journal = scripted();
    expect((await open(journal)).state).toEqual(replica.state);
    expect(journal.calls.filter(call => call.startsWith('read'))).toEqual(['read 9', 'read 10', 'read 11']);
  });

  test('hold exactly the state at their sequence, also while commits go on', async () => {
    const replica = await open(scripted());
    await appendAs(replica, 'a', 0, 2);
    const writing = replica.checkpoint();
    await appendAs(replica, 'a', 3, 5);
    await writing;
    const checkpoint = (await scripted().latestCheckpoint())!;
    expect(checkpoint.seq).toBe(3);
    expect(tallyMachine().decodeCheckpoint(checkpoint.bytes).applied).toEqual(['a:0', 'a:1', 'a:2']);
  });

  test('a floor that no checkpoint reaches is reported as damage', async () => {
    await appendAs(await open(scripted()), 'a', 0, 4);
    await compactAway(scripted());
    await store.delete(['log/checkpoints/00000000000000000005']);
    await expect(open(scripted())).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
  });
});

describe('a replica', () => {
  test('that cannot apply an entry answers nothing any more', async () => {
    const replica = await open(scripted());
    await scripted().create(1, new Uint8Array([1, 2, 3]));
    await expect(replica.refresh()).rejects.toThrow();
    await expect(replica.propose(tallyProposal('a', 0))).rejects.toThrow();
    await expect(replica.checkpoint()).rejects.toThrow();
  });

  test('that is closed finishes what is under way and refuses the rest; its journal stays open', async () => {
    const journal = scripted();
    const replica = await open(journal);
    const first = replica.propose(tallyProposal('a', 0));
    const second = replica.propose(tallyProposal('a', 1));
    const closing = replica.close();
    expect(await first).toBe(1);
    await expect(second).rejects.toMatchObject({ code: 'TW_CLOSED' });
    await closing;
    await expect(replica.refresh()).rejects.toMatchObject({ code: 'TW_CLOSED' });
    expect(await journal.read(1)).not.toBeNull();
  });

  test('over a folder tells a failed write from an unknown one', async () => {
    const fs = new SimFileSystem(seededRandom(1));
    const journal = await FileJournal.open(fs, '/log', { random: seededRandom(2) });
    const replica = await open(journal);
    await replica.propose(tallyProposal('a', 0));
    fs.capacityBytes = 0;
    await expect(replica.propose(tallyProposal('a', 1))).rejects.toMatchObject({ code: 'TW_STORAGE_FULL' });
    fs.capacityBytes = Number.POSITIVE_INFINITY;
    expect(await replica.propose(tallyProposal('a', 1))).toBe(2);
    fs.fault = ({ call }) => (call === 'datasync' ? { code: 'EIO' } : null);
    await expect(replica.propose(tallyProposal('a', 2))).rejects.toMatchObject({ code: 'TW_OUTCOME_UNKNOWN' });
    await expect(replica.propose(tallyProposal('a', 2))).rejects.toMatchObject({ code: 'TW_SHARD_STOPPED' });
    await replica.refresh();
    expect(replica.state.applied).toEqual(['a:0', 'a:1']);
  });
});
