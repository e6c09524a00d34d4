import type { World } from '../../nemesis/world.ts';
import type { ServerSpec } from './server-process.ts';
import type { Client, NodeStatus, Outcome, Request, SetUp, TargetOption } from './target.ts';

/**
 * What the default export of a module for `--target ./my-target.ts` is: everything that splitbrain must know of a
 * store. docs/targets.md explains it; harness/target/example/ is a whole one.
 */
export interface UserTarget {
  readonly name: string;
  /** The workloads whose operations its clients can carry out: `register`, `append` … */
  readonly workloads: readonly string[];
  /** The kinds of faults that its world can do; with `tools.processes`: `partition`, `pause`, `kill`, `loss`. */
  readonly faults?: readonly string[];
  /** Without it 3, and 25 at most. */
  readonly nodes?: { readonly default: number; readonly most: number };
  /** The kinds of faults, `pause` and `kill`, that its nodes can have on other computers; without it `--ssh` is refused. */
  readonly remoteFaults?: readonly string[];
  /** Its own options, given as `--target-options name=value`. */
  readonly options?: { readonly [name: string]: TargetOption };
  /** Starts the store; resolves when every node serves. Leaves nothing behind when it rejects. */
  setUp(options: SetUp, tools: Tools): Promise<UserSystem>;
}

/** A store that runs. */
export interface UserSystem {
  readonly nodes: readonly string[];
  /** What faults are done to: what `tools.processes` gave, or a world of one's own; leave it out where there is none. */
  readonly world?: World & { readonly mechanisms?: { readonly [kind: string]: string } };
  /** A new process's way to that node. */
  client(node: string): Client;
  /** What every node that answers says of itself, to see that a healed cluster comes together. */
  status(): Promise<readonly NodeStatus[]>;
  tearDown(): Promise<void>;
}

/** What a module is handed, so that it need import nothing. */
export interface Tools {
  /** The names of so many nodes: `1`, `2` … */
  nodes(count: number): readonly string[];
  /** A world of processes: started, ended, stopped and cut off by splitbrain, with their logs and crashes on record. */
  processes(options: SetUp, primaries: () => Promise<readonly string[]>): Promise<ServerWorld>;
  /**
   * A client from a function that carries out one operation, within `opTimeoutMs`. What it throws is an operation of
   * unknown outcome.
   */
  client(perform: (request: Request) => Promise<Outcome>, close?: () => void): Client;
}

/** A world in which each node runs some servers. */
export interface ServerWorld extends World {
  readonly mechanisms: { readonly [kind: string]: string };
  /** The node has this server, too. */
  add(node: string, server: ServerSpec): unknown;
  /** Starts all servers; resolves when every one is ready. */
  startAll(): Promise<void>;
  /** Waits, bounded, for something that they bring about among themselves. */
  until(otherwise: string, holds: () => Promise<boolean>): Promise<void>;
  /** The address that the node's servers are to listen on, and by which the other nodes know it. */
  address(node: string): string;
  /** A port that no other server has. */
  port(): Promise<number>;
  /** `HOST:PORT` by which the harness reaches that port of the node. */
  reach(node: string, port: number): Promise<string>;
  /** The folder for what the node's servers keep, on the computer where they run; it is there. */
  dataFolder(node: string): string;
  /** Writes a file for the node's servers, on their computer. @returns its path there */
  write(node: string, name: string, text: string): Promise<string>;
  /** Ends all servers and waits until they are gone. */
  stop(): Promise<void>;
}
