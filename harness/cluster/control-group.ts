import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a control group can take from processes. */
export type Resource = 'cpu' | 'memory';

/** The names of the files that say it, in the two versions of control groups (cgroups(7)). */
interface Interface {
  /** What to write to which file for too little, and for as much as there is. */
  readonly short: (group: string) => readonly (readonly [file: string, value: string])[];
  readonly enough: readonly (readonly [file: string, value: string])[];
  /** Where the kernel counts how often it was too little. */
  readonly counted: { readonly file: string; readonly pattern: RegExp };
}

const cpuMicroseconds = 5000;
const cpuPeriodMicroseconds = 100_000;
/** What a process may take in addition to what it has when it enters the group: so little that it soon wants more. */
const memoryBytes = 128 << 10;

const interfaces: { readonly [version in 'v1' | 'v2']: { readonly [resource in Resource]: Interface } } = {
  v2: {
    cpu: {
      short: () => [['cpu.max', `${cpuMicroseconds} ${cpuPeriodMicroseconds}`]],
      enough: [['cpu.max', `max ${cpuPeriodMicroseconds}`]],
      counted: { file: 'cpu.stat', pattern: /^nr_throttled (\d+)/m },
    },
    memory: {
      short: (group) => [['memory.max', aLittleMore(group, 'memory.current')]],
      enough: [['memory.max', 'max']],
      counted: { file: 'memory.events', pattern: /^max (\d+)/m },
    },
  },
  v1: {
    cpu: {
      short: () => [
        ['cpu.cfs_period_us', String(cpuPeriodMicroseconds)],
        ['cpu.cfs_quota_us', String(cpuMicroseconds)],
      ],
      enough: [['cpu.cfs_quota_us', '-1']],
      counted: { file: 'cpu.stat', pattern: /^nr_throttled (\d+)/m },
    },
    memory: {
      short: (group) => [['memory.limit_in_bytes', aLittleMore(group, 'memory.usage_in_bytes')]],
      enough: [['memory.limit_in_bytes', '-1']],
      counted: { file: 'memory.failcnt', pattern: /^(\d+)/ },
    },
  },
};

/** Than what the processes in it have taken since they entered it. */
function aLittleMore(group: string, usage: string): string {
  return String(Number(readFileSync(join(group, usage), 'latin1')) + memoryBytes);
}

/** Below which a group of ours can be made; undefined when none can here. Makes one and removes it to see. */
export function findHierarchy(resource: Resource): Hierarchy | undefined {
  for (const hierarchy of hierarchies(resource)) {
    const path = join(hierarchy.folder, `${groupPrefix}probe-${process.pid}`);
    try {
      new ControlGroup(hierarchy, resource, path);
      removeControlGroup(path);
      return hierarchy;
    } catch {
      // Not ours to use: look at the next.
    }
  }
  return undefined;
}

export interface Hierarchy {
  readonly version: 'v1' | 'v2';
  readonly folder: string;
}

/** Every group's folder is named so, which the reaper looks at before it removes one. */
export const groupPrefix = 'splitbrain-';

/** A control group of one node's process. Its making and removal are on the reaper's record. */
export class ControlGroup {
  readonly path: string;
  readonly #interface: Interface;

  /** @throws when it cannot be made or does not have the resource; nothing is left then */
  constructor({ version }: Hierarchy, resource: Resource, path: string) {
    this.path = path;
    this.#interface = interfaces[version][resource];
    mkdirSync(path);
    if (existsSync(join(path, this.#interface.counted.file))) return;
    removeControlGroup(path);
    throw new Error(`${path} has no control over ${resource}`);
  }

  /** Takes a process in, with all of its threads, and lets it have too little. */
  starve(pid: number): void {
    this.#write(this.#interface.short(this.path));
    this.#write([['cgroup.procs', String(pid)]]);
  }

  feed(): void {
    this.#write(this.#interface.enough);
  }

  /** How often it was too little. */
  get shortages(): number {
    const { file, pattern } = this.#interface.counted;
    return Number(pattern.exec(readFileSync(join(this.path, file), 'latin1'))?.[1] ?? 0);
  }

  #write(values: Interface['enough']): void {
    for (const [file, value] of values) writeFileSync(join(this.path, file), value);
  }
}

/** @returns whether it is gone: not while there is a process in it */
export function removeControlGroup(path: string): boolean {
  try {
    rmdirSync(path);
  } catch {
    return !existsSync(path);
  }
  return true;
}

function hierarchies(resource: Resource): readonly Hierarchy[] {
  const mounts = readFileSync('/proc/self/mounts', 'latin1')
    .split('\n')
    .map((line) => line.split(' '));
  return mounts.flatMap(([, folder = '', type, options = '']): Hierarchy[] => {
    if (type === 'cgroup2') return [{ version: 'v2', folder }];
    return type === 'cgroup' && options.split(',').includes(resource) ? [{ version: 'v1', folder }] : [];
  });
}
