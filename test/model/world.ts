import { Behaviour, type Pending, type Stage, type Step } from './behaviour.ts';
import { Contents, Interned } from './interned.ts';
import { encodeEntry } from './ledger.ts';
import { ENTRIES, type Fate, FLOOR, NO_FAULT, Objects, PREFIX, partOf, type Request } from './objects.ts';
import { programsOf, type Scope } from './scope.ts';
import { Settling } from './settled.ts';
import { afterOutcome, afterPut, isAtOrAboveFloor, NOTHING, nameOf, requireComplete, requireSound, type Truth } from './truth.ts';

/** The next event: a request of a process takes effect and is answered (with several clients, one after the other), or a late put lands. */
export type Choice = { process: number; call: number; fate: Fate } | { late: number };

type Put = Extract<Request, { kind: 'put' }>;

interface Process {
  /** Equal processes, equal numbers. */
  id: number;
  stage: Stage;
  /** Per pending request, its reply if it has taken effect. Empty when effect and answer are one event. */
  replies: readonly (string | null)[];
  /** Per client whose strong read is under way, what had been acknowledged when it began. */
  began: ReadonlyMap<number, readonly string[]>;
}

/** What is not inside of a process. */
interface Shared {
  objects: Objects;
  late: readonly Put[];
  faultsLeft: number;
  truth: Truth;
}

/** Everything, at one instant; never changed. */
export interface World {
  /** Equal shared parts, equal numbers. */
  id: number;
  shared: Shared;
  processes: readonly Process[];
}

const noReply = (): null => null;
const NO_READS: ReadonlyMap<number, readonly string[]> = new Map();

/** The system of one scope: how it starts, what may happen in a world, and what the world is like afterwards. */
export class System {
  readonly #scope: Scope;
  readonly #contents = new Contents();
  readonly #sharedIds = new Interned();
  readonly #processIds = new Interned();
  readonly #behaviours: Behaviour[];
  readonly #newReader: Behaviour;
  /** Shared parts of worlds that were found sound. */
  readonly #sound: boolean[] = [];

  constructor(scope: Scope) {
    this.#scope = scope;
    const settling = new Settling();
    this.#behaviours = programsOf(scope).map(program => new Behaviour(program, this.#contents, settling));
    const reader = { name: 'new reader', clients: [['open' as const]], retries: 0, exact: false };
    this.#newReader = new Behaviour(reader, this.#contents, settling);
  }

  get codeRuns(): number {
    return [...this.#behaviours, this.#newReader].reduce((runs, behaviour) => runs + behaviour.runs, 0);
  }

  async start(): Promise<World> {
    let objects = new Objects(new Interned());
    let truth = NOTHING;
    for (let seq = 1; seq <= this.#scope.prefilled; seq++) {
      const entry = encodeEntry({ id: `p.${seq}`, writer: 'p', sequence: seq, nonce: 0, builtOn: [...truth.committed] });
      const key = `${PREFIX}/entries/${nameOf(seq)}`;
      const put: Put = { kind: 'put', key, content: this.#contents.id(entry), condition: { ifAbsent: true } };
      truth = afterPut(truth, objects, put, this.#contents);
      truth = afterOutcome(truth, 'p', { kind: 'told', id: `p.${seq}`, sequence: seq, what: 'acknowledged' }, []);
      objects = objects.afterLatePut(put);
    }
    const processes: Process[] = [];
    for (const behaviour of this.#behaviours) {
      const { to } = await behaviour.start();
      processes.push(this.#process(to, to.pending.map(noReply), NO_READS));
    }
    return this.#world({ objects, late: [], faultsLeft: this.#scope.faults, truth }, processes);
  }

  /** Everything that may happen next; nothing at the end. */
  choices(world: World): Choice[] {
    const safe = world.processes.findIndex((_, index) => this.#commutes(world, index));
    if (safe >= 0) return this.#choicesOf(world, safe);
    const choices = world.processes.flatMap((_, index) => (this.#mustWait(world, index) ? [] : this.#choicesOf(world, index)));
    for (const late of world.shared.late.keys()) choices.push({ late });
    return choices;
  }

  isFinished({ shared, processes }: World): boolean {
    return shared.late.length === 0 && processes.every(({ stage }) => stage.finished);
  }

  /** The world after an event; throws a Violation when it must not be. */
  async after(world: World, choice: Choice): Promise<World> {
    if ('late' in choice) return this.#world(this.#landed(world.shared, choice.late), world.processes);
    const process = world.processes[choice.process];
    const { stage, replies } = process;
    let { shared } = world;
    let reply = replies[choice.call];
    if (reply === null) {
      ({ shared, reply } = this.#happened(shared, stage.pending[choice.call].request, choice.fate));
      if (stage.clients > 1 && stage.pending[choice.call].request.kind !== 'begin') {
        const happened = this.#process(stage, replies.with(choice.call, reply), process.began);
        return this.#world(shared, world.processes.with(choice.process, happened));
      }
    }
    const behaviour = this.#behaviours[choice.process];
    const step = behaviour.step(stage, choice.call, reply) ?? (await behaviour.learn(stage, choice.call, reply));
    const { truth, answered } = this.#answered(shared.truth, choice, process, step);
    const told = truth === shared.truth ? shared : { ...shared, truth };
    const processes = world.processes.with(choice.process, answered);
    return told === world.shared ? { id: world.id, shared: told, processes } : this.#world(told, processes);
  }

  /** A world in which any process may die now, and the next one starts: nothing that was promised is lost. */
  async check({ id, shared: { objects, truth } }: World): Promise<void> {
    if (this.#sound[id]) return;
    requireSound(truth, objects, this.#contents);
    await this.#readAnew(objects, truth);
    this.#sound[id] = true;
  }

  /** What a choice means, for a reader. */
  describe(world: World, choice: Choice): string {
    if ('late' in choice) return `a late put lands: ${this.#words(world.shared.late[choice.late])}`;
    const { stage, replies } = world.processes[choice.process];
    const { name } = this.#behaviours[choice.process].program;
    const fate = choice.fate === 'ok' ? '' : ` (${choice.fate})`;
    const answered = replies[choice.call] === null ? fate : ' is answered';
    return `${name}: ${this.#words(stage.pending[choice.call].request)}${answered}`;
  }

  #happened(shared: Shared, request: Request, fate: Fate): { shared: Shared; reply: string } {
    const { objects, reply, late } = shared.objects.after(request, fate);
    if (objects === shared.objects && fate === 'ok') return { shared, reply };
    const changed = request.kind === 'put' && objects !== shared.objects;
    return {
      reply,
      shared: {
        objects,
        late: late && request.kind === 'put' ? [...shared.late, request] : shared.late,
        faultsLeft: fate === 'ok' ? shared.faultsLeft : shared.faultsLeft - 1,
        truth: changed ? afterPut(shared.truth, shared.objects, request, this.#contents) : shared.truth,
      },
    };
  }

  #answered(
    truth: Truth,
    { process: index, call }: Extract<Choice, { process: number }>,
    { stage, replies, began }: Process,
    { to, outcomes }: Step,
  ): { truth: Truth; answered: Process } {
    const { opensRead } = stage.pending[call];
    const reads = opensRead === null ? began : new Map(began).set(opensRead, truth.acknowledged);
    let ongoing = reads;
    for (const outcome of outcomes) {
      const client = outcome.kind === 'read' ? outcome.client : -1;
      truth = afterOutcome(truth, this.#behaviours[index].program.name, outcome, reads.get(client) ?? []);
      if (outcome.kind === 'read') ongoing = new Map([...ongoing].filter(([reading]) => reading !== client));
    }
    const kept = stage.clients > 1 ? replies.toSpliced(call, 1) : [];
    const answered = this.#process(
      to,
      kept.length === 0 ? to.pending.map(noReply) : to.pending.map((_, at) => kept[at] ?? null),
      to.finished ? NO_READS : ongoing,
    );
    return { truth, answered };
  }

  #landed(shared: Shared, index: number): Shared {
    const put = shared.late[index];
    const objects = shared.objects.afterLatePut(put);
    const changed = objects !== shared.objects;
    const truth = changed ? afterPut(shared.truth, shared.objects, put, this.#contents) : shared.truth;
    return { ...shared, objects, truth, late: shared.late.toSpliced(index, 1) };
  }

  #world(shared: Shared, processes: readonly Process[]): World {
    const { objects, late, faultsLeft, truth } = shared;
    const lateText = late.map(({ key, content, condition }) => `${key} ${content} ${JSON.stringify(condition)}`);
    const id = this.#sharedIds.id(
      `${objects.id}|${faultsLeft}|${truth.contents}|${truth.acknowledged}|${truth.failed}|${lateText}`,
    );
    return { id, shared, processes };
  }

  #process(stage: Stage, replies: Process['replies'], began: Process['began']): Process {
    const reads = began.size === 0 ? '' : [...began].map(([client, ids]) => `${client}:${ids}`).join(';');
    const waits = stage.clients > 1 ? replies.map(reply => reply ?? '-').join(';') : '';
    return { id: this.#processIds.id(`${stage.owner} ${stage.id} ${waits} ${reads}`), stage, replies, began };
  }

  /** The real code opens a replica on these objects, undisturbed. */
  async #readAnew(objects: Objects, truth: Truth): Promise<void> {
    let { to, outcomes }: Step = await this.#newReader.start();
    while (!to.finished) {
      const { reply } = objects.after(to.pending[0].request, 'ok');
      ({ to, outcomes } = this.#newReader.step(to, 0, reply) ?? (await this.#newReader.learn(to, 0, reply)));
      for (const outcome of outcomes) {
        afterOutcome(truth, 'a new reader', outcome, []);
        if (outcome.kind === 'read') requireComplete(truth, outcome.ids);
      }
    }
  }

  /**
   * Whether the process's next request reads what nobody else can still write to, and opens no strong read. It then commutes with all
   * that others may do: executions in which it comes first stand for all. An acknowledgement that comes earlier by it only makes the
   * checks of others stricter.
   */
  #commutes({ processes, shared: { late, objects } }: World, index: number): boolean {
    const { stage } = processes[index];
    if (stage.clients > 1 || stage.pending.length !== 1) return false;
    const [{ request, opensRead, part }] = stage.pending;
    if (opensRead !== null || (request.kind !== 'get' && request.kind !== 'list')) return false;
    const parts = this.#isSettled(stage.pending[0], objects) ? FLOOR : part;
    const others = processes.some((other, at) => at !== index && (other.stage.writes & parts) !== 0);
    return !others && !late.some(put => (partOf(put) & parts) !== 0);
  }

  /** An entry that is there, at or above the floor, can only go once the floor has passed it, which is checked in every world. */
  #isSettled({ request, part }: Pending, objects: Objects): boolean {
    if (request.kind !== 'get' || part !== ENTRIES || objects.get(request.key) === null) return false;
    return isAtOrAboveFloor(request.key, objects, this.#contents);
  }

  /** Writers that run the same program are alike until they act: the one with the lower number acts first. */
  #mustWait({ processes }: World, index: number): boolean {
    if (index === 0 || index >= this.#scope.writers) return false;
    const before = processes[index - 1].stage;
    const { stage } = processes[index];
    return stage.way.length === 0 && before.way.length === 0 && before.clients === 1 && stage.clients === 1;
  }

  #choicesOf({ processes, shared: { objects, faultsLeft } }: World, index: number): Choice[] {
    const { stage, replies } = processes[index];
    return stage.pending.flatMap(({ request }, call) => {
      const fates = replies[call] !== null || faultsLeft === 0 ? NO_FAULT : objects.fates(request);
      return fates.map(fate => ({ process: index, call, fate }));
    });
  }

  #words(request: Request): string {
    switch (request.kind) {
      case 'begin':
        return 'a client asks';
      case 'put':
        return `put ${short(request.key)} ${Buffer.from(this.#contents.bytes(request.content)).toString()}`;
      case 'delete':
        return `delete ${request.keys.map(short).join(' ')}`;
      default:
        return `${request.kind} ${short(request.kind === 'get' ? request.key : request.prefix)}`;
    }
  }
}

function short(key: string): string {
  return key.slice(PREFIX.length + 1).replace(/\b0+(?=\d)/, '');
}
