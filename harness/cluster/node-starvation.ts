import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { Client } from 'undici';
import type { Effect, NodeId, Starvation } from '../../nemesis/world.ts';
import { ControlGroup, findHierarchy, groupPrefix, type Hierarchy, type Resource } from './control-group.ts';
import { debianPath } from './debian-path.ts';
import { DutyCycle } from './duty-cycle.ts';
import type { Exit, NodeProcess } from './node-process.ts';
import { nodeStatus } from './node-status.ts';
import type { Reaper } from './reaper.ts';
import { exitCodes } from './system-exits.ts';

export interface NodeStarvationOptions {
  readonly node: NodeId;
  readonly address: string;
  readonly process: NodeProcess;
  readonly reaper: Reaper;
  /** Names of mechanisms, see `mechanisms.ts`. */
  readonly mechanisms: { readonly [resource in Resource]?: string };
  /** A paused process is not to be woken. */
  readonly isPaused: () => boolean;
}

/** A shortage that is on, and how it ends. */
interface Shortage {
  readonly mechanism: string;
  end(): Promise<Effect>;
}

const proofTimeoutMs = 3000;
const answerTimeoutMs = 500;
const recoveryTimeoutMs = 10_000;
const lookEveryMs = 50;
/** From the end of a process's connections to its end, on a busy machine. */
const endingMs = 2000;
/** Fewer than any node has open: those it keeps, and gets none for what it closes. */
const descriptorsMax = 3;

/** What one node has too little of: processor time, memory, or file descriptors. */
export class NodeStarvation {
  readonly #options: NodeStarvationOptions;
  #shortage: Shortage | undefined;
  #of: Starvation['of'] | undefined;
  #duty: DutyCycle | undefined;
  /** Of this process; it stays in them, with enough of everything. */
  readonly #groups = new Map<Resource, ControlGroup>();

  constructor(options: NodeStarvationOptions) {
    this.#options = options;
  }

  /** Whether its process is stopped now and then by way of starving it. */
  get stops(): boolean {
    return this.#duty !== undefined;
  }

  /** Whether it gets no new connections, its own or others'. */
  get unconnectable(): boolean {
    return this.#of === 'descriptors';
  }

  /** To be called when the process has ended. */
  ended(): void {
    const { process, reaper } = this.#options;
    for (const resource of ['memory', 'descriptors']) process.expect(resource, undefined);
    this.#shortage = undefined;
    this.#of = undefined;
    this.#duty?.stop();
    this.#duty = undefined;
    for (const { path } of this.#groups.values()) reaper.removeGroup(path);
    this.#groups.clear();
  }

  /** Begins or ends it. A process that is started while it is on has enough of everything. */
  async set(starvation: Starvation | undefined): Promise<Effect> {
    const shortage = this.#shortage;
    this.#shortage = undefined;
    const ended = await shortage?.end();
    this.#of = starvation?.of;
    if (starvation === undefined) return ended ?? moot('none', { reason: 'it has enough of everything' });
    const { pid } = this.#options.process;
    if (pid === undefined || this.#options.isPaused()) return moot('none', { reason: 'the node is down or paused' });
    switch (starvation.of) {
      case 'cpu':
        return this.#starveOfTime(pid);
      case 'memory':
        return this.#starveOfMemory(pid);
      case 'descriptors':
        return this.#starveOfDescriptors(pid);
    }
  }

  /** Proven by the kernel's having held it back, or by its having been seen stopped. */
  async #starveOfTime(pid: number): Promise<Effect> {
    const group = this.#enterGroup('cpu', pid);
    if (group !== undefined) return this.#proveShortages(group);
    const mechanism = 'sigstop-duty-cycle';
    const duty = new DutyCycle(pid, this.#options.isPaused);
    this.#duty = duty;
    this.#shortage = {
      mechanism,
      end: async () => {
        const { stopsSeen } = duty;
        duty.stop();
        this.#duty = undefined;
        return this.#proveServing(mechanism, { stopsSeen });
      },
    };
    await until(() => duty.stopsSeen > 1);
    return {
      effect: duty.stopsSeen > 1 ? 'proven' : 'ineffective',
      mechanism,
      proof: { pid, stopsSeen: duty.stopsSeen },
    };
  }

  /** Proven by the kernel's having refused it some, or by its having ended for want of it. */
  async #starveOfMemory(pid: number): Promise<Effect> {
    const { process } = this.#options;
    process.expect('memory', isOutOfMemory);
    const { exited } = process;
    const group = this.#enterGroup('memory', pid);
    if (group !== undefined) return this.#proveShortages(group);
    const mechanism = 'prlimit';
    const bytes = kilobytes(pid, 'VmSize') * 1024;
    await limit(pid, `--as=${bytes}:unlimited`);
    this.#shortage = {
      mechanism,
      end: async () => {
        await limit(pid, '--as=unlimited:unlimited').catch(() => {});
        return this.#proveServing(mechanism, {});
      },
    };
    const exit = await Promise.race([exited, delay(proofTimeoutMs)]);
    const proof = { pid, bytes, signal: exit?.signal ?? null };
    return {
      effect: exit !== undefined && isOutOfMemory(exit, process.lastLogLines) ? 'proven' : 'moot',
      mechanism,
      proof,
    };
  }

  /** Proven by the limit that the kernel shows, and by nobody's being let in any more. */
  async #starveOfDescriptors(pid: number): Promise<Effect> {
    const mechanism = 'prlimit';
    const { address, process } = this.#options;
    const [soft, hard] = descriptorLimits(pid);
    // Files that it needs and cannot open may end it, as a failed sync does.
    process.expect(
      'descriptors',
      ({ code }, lines) => code === exitCodes.crash && /"code":"EMFILE"/.test(lines.at(-1) ?? ''),
    );
    await limit(pid, `--nofile=${descriptorsMax}:${hard}`);
    this.#shortage = {
      mechanism,
      end: async () => {
        await limit(pid, `--nofile=${soft}:${hard}`).catch(() => {});
        return this.#proveServing(mechanism, { limit: soft });
      },
    };
    const answers = await takesConnection(address);
    const isLimited = descriptorLimits(pid)[0] === String(descriptorsMax);
    const proof = { pid, limit: descriptorsMax, isLimited, answersNewConnections: answers };
    return { effect: isLimited && !answers ? 'proven' : 'ineffective', mechanism, proof };
  }

  #enterGroup(resource: Resource, pid: number): ControlGroup | undefined {
    const hierarchy = this.#options.mechanisms[resource] === 'cgroup' ? findHierarchy(resource) : undefined;
    if (hierarchy === undefined) return undefined;
    const group = this.#groups.get(resource) ?? this.#makeGroup(hierarchy, resource, pid);
    group.starve(pid);
    this.#shortage = {
      mechanism: 'cgroup',
      end: async () => {
        const { shortages } = group;
        group.feed();
        return this.#proveServing('cgroup', { shortages });
      },
    };
    return group;
  }

  #makeGroup(hierarchy: Hierarchy, resource: Resource, pid: number): ControlGroup {
    const { reaper, node } = this.#options;
    const path = join(hierarchy.folder, `${groupPrefix}${resource}-${pid}-${node}`);
    reaper.groupMade(path);
    const group = new ControlGroup(hierarchy, resource, path);
    this.#groups.set(resource, group);
    return group;
  }

  async #proveShortages(group: ControlGroup): Promise<Effect> {
    const { process } = this.#options;
    const { pid = null } = process;
    const before = group.shortages;
    let shortages = 0;
    await until(() => {
      // Its process may end of this, and the group with it.
      if (process.pid !== pid) return true;
      shortages = group.shortages - before;
      return shortages > 0;
    });
    const proof = { pid, shortages, ended: process.pid !== pid };
    return { effect: shortages > 0 || proof.ended ? 'proven' : 'moot', mechanism: 'cgroup', proof };
  }

  async #proveServing(mechanism: string, proof: Effect['proof']): Promise<Effect> {
    const { process, address, isPaused } = this.#options;
    if (process.pid === undefined || isPaused())
      return moot(mechanism, { ...proof, reason: 'the node is down or paused' });
    const { pid, exited } = process;
    const answers = (await nodeStatus(address, recoveryTimeoutMs)) !== undefined;
    // One that is ending answers nobody before it is seen to have ended.
    if (!answers) await Promise.race([exited, delay(endingMs)]);
    // That it answers does not say that it will not yet end for what it had not had: a thread of it, or the kernel in its
    // name, may have been about to for long on a busy machine. Such an end stays expected for as long as it lives.
    if (process.pid !== pid) return moot(mechanism, { ...proof, reason: 'the node ended' });
    return { effect: answers ? 'proven' : 'ineffective', mechanism, proof: { ...proof, answers } };
  }
}

/** Whether somebody who was not connected before gets an answer. */
async function takesConnection(address: string): Promise<boolean> {
  const client = new Client(address);
  try {
    const { body } = await client.request({
      path: '/v1/status',
      method: 'GET',
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    await body.dump();
    return true;
  } catch {
    return false;
  } finally {
    await client.destroy();
  }
}

function moot(mechanism: string, proof: Effect['proof']): Effect {
  return { effect: 'moot', mechanism, proof };
}

const fatalSignals: readonly (string | null)[] = ['SIGKILL', 'SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV', 'SIGBUS'];

/** V8 aborts when it gets none, and so may any library; a buffer of the node's own fails; the kernel kills. */
function isOutOfMemory({ signal, code }: Exit, lastLogLines: readonly string[]): boolean {
  if (fatalSignals.includes(signal) || code === 134) return true;
  return code === exitCodes.crash && /allocation failed|ENOMEM/i.test(lastLogLines.at(-1) ?? '');
}

async function limit(pid: number, option: string): Promise<void> {
  await execa('prlimit', ['--pid', String(pid), option], { env: { PATH: `${process.env.PATH}:${debianPath}` } });
}

/** Soft and hard, as the kernel shows them: a number, or `unlimited`. */
function descriptorLimits(pid: number): readonly [soft: string, hard: string] {
  const [, soft = '', hard = ''] =
    /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1')) ?? [];
  return [soft, hard];
}

function kilobytes(pid: number, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
}

/** Looks until it holds, for a bounded time. */
async function until(holds: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!holds() && performance.now() - startedAt < proofTimeoutMs) await delay(lookEveryMs);
}
