import type { Value } from '../../checker/history/op.ts';
import type { NodeId, World } from '../../nemesis/world.ts';
import type { SshOptions } from './ssh-machine.ts';

/** An operation on its way to a node. */
export interface Request {
  readonly f: string;
  readonly key?: Value | undefined;
  readonly value?: Value | undefined;
  /** Who asks; unique among all that ask at the same time. */
  readonly process: number;
  /** Unique in the run; a store that can carry it writes it into its log, for the committed-log audit. */
  readonly op: string;
}

/**
 * How an operation ended.
 * - `ok`: it happened; `value` is what came back, where there is something.
 * - `fail`: it certainly did not, and will not; a read without an answer is this, too.
 * - `info`: everything else. When in doubt, this.
 */
export interface Outcome {
  readonly type: 'ok' | 'fail' | 'info';
  readonly value?: Value;
  /** Present unless `ok`: `timeout`, `no-leader`, `cas-mismatch`, `connection-refused` … */
  readonly error?: string;
}

/** What a store may have seen that kept it from doing what it was asked for: an answer like any other. */
export const observations = [
  'cas-mismatch',
  'conflict',
  'held',
  'not-held',
  'empty',
  'insufficient',
  'compacted',
] as const;
export type Observation = (typeof observations)[number];

/** The store looked, and its state did not allow it. */
export function observed(error: Observation): Outcome {
  return { type: 'fail', error };
}

/** One process's way to one node. It carries out one operation at a time. */
export interface Client {
  /**
   * Carries out one operation, within a bounded time. `done` is called exactly once, in a later turn; whatever
   * goes wrong is an outcome, never an exception.
   */
  invoke(request: Request, done: (outcome: Outcome) => void): void;
  /** The process is retired or the run is over. An answer that is still awaited may come or not. */
  close(): void;
}

/** A store that runs, ready to be used and to be broken. */
export interface System {
  readonly nodes: readonly NodeId[];
  /** What a nemesis may do to it; undefined for a store that has no processes or links to break. */
  readonly world: World | undefined;
  /** The fault mechanisms chosen, by fault kind, for `test.json`. */
  readonly mechanisms: { readonly [kind: string]: string };
  client(node: NodeId): Client;
  /** Where a person reaches the node. */
  address?(node: NodeId): string;
  /** What every node says about itself now; a node that does not answer says nothing, and is left out. */
  status(): Promise<readonly NodeStatus[]>;
  /** Ends everything that `setUp` began and waits until it is gone. Twice is the same as once. */
  tearDown(): Promise<void>;
}

/** Enough to see that a cluster came together again: all nodes up, one leader, the same state everywhere. */
export interface NodeStatus {
  readonly node: NodeId;
  readonly leader: boolean;
  readonly term: number;
  /** The last log entry in the state. */
  readonly applied: number;
  /** A digest of that state. */
  readonly hash: string;
}

export interface SetUp {
  /** The name of the workload: what its operations mean to the clients. */
  readonly workload: string;
  readonly nodes: number;
  /** The run folder; a node's files go to `nodes/<n>/` below it. */
  readonly folder: string;
  /** The first client port; undefined: any free ones. */
  readonly port?: number | undefined;
  /** The compiled system to run in place of the target's own: a mutant's. Only our store has mutants. */
  readonly systemFolder?: string | undefined;
  /** How long a client waits for an answer. */
  readonly opTimeoutMs: number;
  /** The kinds of faults that will be asked of the world: what some of them need is set up with the nodes. */
  readonly faults: readonly string[];
  /** Names of fault mechanisms that go before others, in a world that has a choice. */
  readonly mechanisms?: readonly string[];
  /** The target's own options, all of them, by name. */
  readonly options: { readonly [name: string]: string };
  /** The computers of the nodes, in order; undefined: all on this one. */
  readonly ssh?: SshOptions | undefined;
  /** A seeded integer in [0, bound). */
  readonly random: (bound: number) => number;
  /** Nanoseconds since the start of the run. */
  readonly now: () => number;
  /** Cuts the setting-up short; it rejects then. */
  readonly signal?: AbortSignal | undefined;
}

/** An option that only one target has. */
export interface TargetOption {
  /** One sentence for `--help`. */
  readonly about: string;
  /** What may be given; undefined: any text. */
  readonly values?: readonly string[];
  /** Taken when nothing is given; undefined: something must be. */
  readonly default?: string;
}

/** A kind of store. */
export interface Target {
  readonly name: string;
  /** The workloads whose operations its clients can carry out. */
  readonly workloads: readonly string[];
  /** The kinds of faults that its world can do; none: it has no processes or links to break. */
  readonly faults: readonly string[];
  /** Of kinds that it is not in anybody's power to do to it: why. */
  readonly outOfReach?: { readonly [kind: string]: string };
  /** How many nodes it has unless `--nodes` says otherwise, and at most. */
  readonly nodes: { readonly default: number; readonly most: number };
  readonly options: { readonly [name: string]: TargetOption };
  /** The kinds of faults that can be done to its nodes on other computers; undefined: it runs on this one only. */
  readonly remoteFaults?: readonly string[];
  /** Whether its nodes write the audit files that the committed-log audit reads. */
  readonly audited: boolean;
  /** Starts the store; resolves when every node serves. Rejects with one clear line, and leaves nothing behind. */
  setUp(options: SetUp): Promise<System>;
}

/** `1`, `2` … */
export function nodeNames(count: number): readonly NodeId[] {
  return Array.from({ length: count }, (_, at) => String(at + 1));
}
