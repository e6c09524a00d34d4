import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { tryCallTracer } from './call-tracer.ts';
import { findHierarchy } from './control-group.ts';
import { debianPath } from './debian-path.ts';
import { tryExt4Disk } from './ext4-disk.ts';
import { findFakeTime, tryFakeTime } from './faked-clock.ts';
import { startReaper } from './reaper.ts';

/** One way to do a fault. */
export interface Mechanism {
  readonly name: string;
  /** For a person: what it works by. */
  readonly how: string;
  /** Looks whether it works on this machine, by doing something small. @returns undefined, or what is missing */
  probe(): Promise<Missing | undefined>;
}

export interface Missing {
  readonly reason: string;
  /** The Debian package that has what is missing. */
  readonly install?: string;
  readonly needsRoot?: true;
}

/** What a fault needs of a world, each with its mechanisms, best first; `foreign…` is for other people's stores. */
export const mechanisms = {
  links: [
    mechanism('tcp-proxy', 'a proxy before each node’s peer port counts, drops, delays and repeats whole frames'),
  ],
  foreignNetwork: [
    mechanism('namespaces', 'a network namespace a node, joined by a bridge with packet filters', networkNamespaces),
  ],
  foreignRate: [mechanism('tc-tbf', 'a token bucket on a node’s interface in its namespace', tokenBucket)],
  foreignDisk: [mechanism('strace', 'strace answers, delays or ends the process in its system calls', strace)],
  foreignClock: [
    mechanism(
      'libfaketime',
      'a library in the program bends its wall clock: of postgres; not of Go, nor redis',
      fakeTime,
    ),
  ],
  pause: [mechanism('sigstop', 'SIGSTOP and SIGCONT')],
  kill: [mechanism('sigkill', 'SIGKILL')],
  clock: [mechanism('preload-clock', 'a module in the node bends Date, performance and timers')],
  disk: [
    mechanism('preload-disk', 'a module in the node stands between it and its files'),
    mechanism('strace', 'strace answers, delays or ends the process in its system calls', strace),
  ],
  power: [
    mechanism('preload-disk', 'a module in the node keeps a journal, from which what was not synced is taken back'),
    mechanism('ext4', 'a file system a node, shut down without flushing, and mounted again', ext4),
  ],
  files: [mechanism('files', 'the files of a node that is down are written to')],
  cpu: [
    mechanism('cgroup', 'a control group lets the process run for 5 ms of every 100', () => controlGroup('cpu')),
    mechanism('sigstop-duty-cycle', 'the process is stopped for 90 ms of every 100'),
  ],
  memory: [
    mechanism('cgroup', 'a control group lets the process have 128 KiB more', () => controlGroup('memory')),
    mechanism('prlimit', 'the process may map no more', () => programs('util-linux', 'prlimit')),
  ],
  descriptors: [mechanism('prlimit', 'the process may open no more', () => programs('util-linux', 'prlimit'))],
} as const satisfies { readonly [power: string]: readonly Mechanism[] };

export type Power = keyof typeof mechanisms;

const ofOthers = ' of other stores';

/** Each name once. */
export const mechanismNames: readonly string[] = [
  ...new Set(Object.values(mechanisms).flatMap((candidates) => candidates.map(({ name }) => name))),
];

/** What each kind of fault needs; one that is not here is done through the store's own interface. */
const powersOf: { readonly [kind: string]: readonly Power[] } = {
  partition: ['links'],
  delay: ['links'],
  jitter: ['links'],
  loss: ['links'],
  duplicate: ['links'],
  reorder: ['links'],
  reset: ['links'],
  'slow-link': ['links'],
  moments: ['links', 'pause', 'kill', 'power'],
  pause: ['pause'],
  kill: ['kill'],
  clock: ['clock'],
  'power-loss': ['power'],
  'disk-full': ['disk'],
  'disk-error': ['disk'],
  'disk-slow': ['disk'],
  'disk-hung': ['disk'],
  'disk-crash': ['disk'],
  'disk-lying': ['disk'],
  corruption: ['files'],
  reformat: ['files'],
  'starve-cpu': ['cpu'],
  'starve-memory': ['memory'],
  'starve-descriptors': ['descriptors'],
  [foreign('partition')]: ['foreignNetwork'],
  [foreign('loss')]: ['foreignNetwork'],
  [foreign('slow-link')]: ['foreignNetwork', 'foreignRate'],
  [foreign('disk-slow')]: ['foreignDisk'],
  [foreign('disk-hung')]: ['foreignDisk'],
  [foreign('disk-error')]: ['foreignDisk'],
  [foreign('disk-crash')]: ['foreignDisk'],
  [foreign('clock')]: ['foreignClock'],
};

/** The name of a kind of fault as it is done to other people's stores. */
export function foreign(kind: string): string {
  return `${kind}${ofOthers}`;
}

/** The kinds of faults that need it. */
export function kindsOf(power: Power): readonly string[] {
  return Object.keys(powersOf).filter((kind) => powersOf[kind]?.includes(power));
}

/** The mechanism chosen for each power that a run needs. */
export type Chosen = { readonly [P in Power]?: string };

/** None of the mechanisms works here. The message is one line that says what to do. */
export class NoMechanism extends Error {
  override readonly name = 'NoMechanism';
}

/**
 * Chooses the best mechanism that works on this machine for all that these kinds of faults need.
 * @param wanted names of mechanisms that go before others
 * @throws {NoMechanism} for a power that nothing here can give
 */
export async function chooseMechanisms(kinds: readonly string[], wanted: readonly string[]): Promise<Chosen> {
  const powers = [...new Set(kinds.flatMap((kind) => powersOf[kind] ?? []))];
  const chosen = await Promise.all(powers.map(async (power) => [power, await choose(power, wanted)] as const));
  return Object.fromEntries(chosen);
}

/** By kind of fault, for `test.json`. */
export function mechanismsByKind(kinds: readonly string[], chosen: Chosen): { readonly [kind: string]: string } {
  return Object.fromEntries(
    kinds.map((kind) => {
      const names = (powersOf[kind] ?? []).map((power) => chosen[power]);
      return [kind.replace(ofOthers, ''), names.join(', ') || 'the store’s own interface'];
    }),
  );
}

async function choose(power: Power, wanted: readonly string[]): Promise<string> {
  const candidates: readonly Mechanism[] = mechanisms[power];
  const preferred = candidates.filter(({ name }) => wanted.includes(name));
  const reasons: string[] = [];
  for (const { name, probe } of [...preferred, ...candidates.filter((candidate) => !preferred.includes(candidate))]) {
    const missing = await probe();
    if (missing === undefined) return name;
    reasons.push(`${name}: ${missing.reason}`);
  }
  throw new NoMechanism(
    `nothing on this machine can do faults of ${power} (${reasons.join('; ')}); see splitbrain doctor`,
  );
}

function mechanism(name: string, how: string, probe: Mechanism['probe'] = async () => undefined): Mechanism {
  return { name, how, probe };
}

async function networkNamespaces(): Promise<Missing | undefined> {
  const absent = (await programs('util-linux', 'unshare', 'nsenter')) ?? (await programs('iproute2', 'ip'));
  const missing = absent ?? (await programs('nftables', 'nft'));
  if (missing !== undefined) return missing;
  const { failed, stderr } = await execa('unshare', [isRoot() ? '-nm' : '-Urnm', 'true'], { reject: false });
  return failed ? { reason: stderr.split('\n')[0] || 'unshare failed', needsRoot: true } : undefined;
}

/** Needs the namespaces, too. */
async function tokenBucket(): Promise<Missing | undefined> {
  const absent = (await networkNamespaces()) ?? (await programs('iproute2', 'tc'));
  if (absent !== undefined) return absent;
  const script = 'ip link set lo up && tc qdisc add dev lo root tbf rate 8kbit burst 3000 latency 1s';
  const { failed, stderr } = await execa('unshare', [isRoot() ? '-n' : '-Urn', 'sh', '-c', script], {
    reject: false,
    env: { PATH: `${process.env.PATH}:${debianPath}` },
  });
  return failed ? { reason: stderr.split('\n')[0] || 'tc failed' } : undefined;
}

/** What the library keeps in /dev/shm goes with a mount of its own, which takes root. */
async function fakeTime(): Promise<Missing | undefined> {
  if (findFakeTime() === undefined) return { reason: 'there is no libfaketime', install: 'faketime' };
  if (!isRoot()) return { reason: 'what it leaves in /dev/shm could not be removed', needsRoot: true };
  const reaper = await startReaper();
  try {
    await tryFakeTime(reaper.temporaryFolder('clock'));
    return undefined;
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await reaper.close();
  }
}

/** Makes a file system, shuts it down and mounts it again: loop devices may be there and still not be allowed. */
async function ext4(): Promise<Missing | undefined> {
  const absent =
    (await programs('e2fsprogs', 'mkfs.ext4')) ??
    (await programs('xfsprogs', 'xfs_io')) ??
    (await programs('mount', 'mount', 'umount'));
  if (absent !== undefined) return absent;
  if (!isRoot()) return { reason: 'file systems cannot be mounted', needsRoot: true };
  const reaper = await startReaper();
  try {
    await tryExt4Disk(reaper.temporaryFolder('ext4'), reaper);
    return undefined;
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await reaper.close();
  }
}

async function strace(): Promise<Missing | undefined> {
  const missing = await programs('strace', 'strace');
  if (missing !== undefined) return missing;
  const reaper = await startReaper();
  try {
    await tryCallTracer(reaper);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { reason, ...(!isRoot() && { needsRoot: true }) };
  } finally {
    await reaper.close();
  }
}

async function controlGroup(resource: 'cpu' | 'memory'): Promise<Missing | undefined> {
  if (findHierarchy(resource) !== undefined) return undefined;
  return { reason: `no control group over ${resource} can be made`, ...(!isRoot() && { needsRoot: true }) };
}

/** Whether all of them are on the path. */
async function programs(install: string, ...names: readonly string[]): Promise<Missing | undefined> {
  const absent = names.filter((name) => !isOnPath(name));
  return absent.length === 0 ? undefined : { reason: `there is no ${absent.join(', ')}`, install };
}

function isOnPath(name: string): boolean {
  return `${process.env.PATH}${delimiter}${debianPath}`.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
