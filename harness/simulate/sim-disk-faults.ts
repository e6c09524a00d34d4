import type { Damage, DiskFault, Effect, World } from '../../nemesis/world.ts';
import type { Random } from '../generator/random.ts';
import type { Coverage, CoverageName } from './coverage.ts';
import { type SimFile, sectorBytes } from './sim-file.ts';
import { empty, type SimMachine } from './sim-machine.ts';

/** How often it is looked whether a node has met its disk's fault, and how far apart. */
const looksMax = 8;
const lookEveryMs = 250;
/** The same for a process that is to lose power in a sync, which it soon does when anybody writes. */
const powerLooksMax = 20;
const powerLookMs = 10;

const coverageNames: { readonly [type in DiskFault['type']]: CoverageName } = {
  'sync-error': 'syncs failed',
  full: 'writes refused by a full disk',
  slow: 'syncs slowed down',
  hung: 'syncs held by a hung disk',
  lying: 'syncs that did nothing',
  crash: 'processes ended in a write or sync',
};

export const snapshotFiles = /^snapshots\/.*\.snapshot$/;

/** Faults of one cluster's disks, and damage to their files. */
export class SimDiskFaults {
  readonly #world: Pick<World, 'sleep' | 'kill'>;
  readonly #random: Random;
  readonly #coverage: Coverage;

  constructor(world: Pick<World, 'sleep' | 'kill'>, random: Random, coverage: Coverage) {
    this.#world = world;
    this.#random = random;
    this.#coverage = coverage;
  }

  async set({ disk, process }: SimMachine, fault: DiskFault | undefined): Promise<Effect> {
    const { fault: before, met } = disk;
    if (before !== undefined) this.#coverage.add(coverageNames[before.type], met);
    if (fault === undefined) {
      disk.heal();
      return effectOf(before === undefined ? 'moot' : 'proven', { met });
    }
    disk.fail(fault);
    if (!process?.alive) return effectOf('moot', { running: false });
    for (let look = 0; look < looksMax && disk.met === 0; look++) await this.#world.sleep(lookEveryMs);
    return effectOf(disk.met > 0 ? 'proven' : 'moot', { met: disk.met, running: process.alive });
  }

  async damage(machine: SimMachine, { file: kind, how }: Damage): Promise<Effect> {
    if (machine.process?.alive) throw new Error(`node ${machine.node} is running: its files are not to be touched`);
    if (how === 'restore') return restore(machine);
    if (how === 'old') return this.#putBack(machine, kind);
    const { disk } = machine;
    const pattern = kind === 'log' ? /^wal\/.*\.wal$/ : snapshotFiles;
    const paths = disk.paths().filter((path) => pattern.test(path) && disk.file(path).contentBytes > 0);
    const path = paths[this.#random.below(Math.max(1, paths.length))];
    if (path === undefined) return effectOf('moot', { files: 0 });
    const before = machine.undamaged ?? disk.copy();
    const offset = this.#harm(disk.file(path), how);
    if (offset === undefined) return effectOf('moot', { file: path });
    machine.undamaged = before;
    machine.damaged.add(path);
    this.#coverage.add('files damaged');
    return effectOf('proven', { file: path, offset });
  }

  async wipe(machine: SimMachine): Promise<Effect> {
    if (machine.process?.alive) throw new Error(`node ${machine.node} is running: its disk is not to be emptied`);
    const files = machine.disk.paths().length;
    empty(machine);
    machine.isEmptied = true;
    this.#coverage.add('disks emptied');
    return effectOf('proven', { files });
  }

  /**
   * Ends the process and loses what its disk had not synced: at this moment, or in one of its next syncs, when there
   * is something to lose.
   */
  async losePower({ node, disk, process }: SimMachine): Promise<Effect> {
    const wasAlive = process?.alive === true;
    if (wasAlive && disk.fault === undefined && this.#random.below(2) === 0) {
      disk.fail({ type: 'crash', at: 'sync', after: 1 + this.#random.below(3) });
      for (let look = 0; look < powerLooksMax && process.alive; look++) await this.#world.sleep(powerLookMs);
      disk.heal();
    }
    await this.#world.kill(node);
    const lost = disk.losePower();
    this.#coverage.add('unsynced bytes lost', lost.bytes);
    return effectOf(wasAlive ? 'proven' : 'moot', { lostBytes: lost.bytes, lostNames: lost.names });
  }

  /** Snapshots of when it last began to serve, in place of those that are there now. */
  #putBack(machine: SimMachine, kind: Damage['file']): Effect {
    const { disk, old, damaged } = machine;
    const is = disk.paths().filter((path) => snapshotFiles.test(path));
    const gone = is.filter((path) => !old.has(path));
    if (kind === 'log' || gone.length === 0) return effectOf('moot', { files: old.size });
    machine.undamaged ??= disk.copy();
    disk.putBack(snapshotFiles, old);
    for (const path of [...is, ...old.keys()]) damaged.add(path);
    this.#coverage.add('files damaged');
    return effectOf('proven', { putBack: [...old.keys()].join(' '), gone: gone.join(' ') });
  }

  /** @returns where; undefined when the file has no two sectors that could be mistaken for each other */
  #harm(file: SimFile, how: Exclude<Damage['how'], 'restore' | 'old'>): number | undefined {
    const { bytes, contentBytes } = file;
    const at = this.#random.below(contentBytes);
    switch (how) {
      case 'flip':
        bytes[at]! ^= 1 << this.#random.below(8);
        return at;
      case 'truncate':
        file.truncate(at);
        return at;
      case 'misdirect': {
        const sectors = Math.floor(contentBytes / sectorBytes);
        const to = Math.floor(at / sectorBytes) * sectorBytes;
        const from = sectorBytes * this.#random.below(Math.max(1, sectors));
        const length = Math.min(sectorBytes, contentBytes - to);
        const sector = bytes.slice(from, from + length);
        if (sector.every((byte, i) => byte === bytes[to + i])) return undefined;
        bytes.set(sector, to);
        return to;
      }
    }
  }
}

/** Whether the nemesis did this to a process that ended by itself with this error. */
export function isNemesisDoing({ disk, damaged, running }: SimMachine, error: unknown): boolean {
  // EIO ends a node by design. A full disk must not end one that runs; without any room none can start.
  if (disk.caused(error)) return error.code === 'EIO' || running === undefined;
  return running === undefined && [...damaged].some((path) => isRefusalOf(error, path));
}

/** Whether a node has refused to start because of this file, or of what is missing in its directory. */
function isRefusalOf(error: unknown, path: string): boolean {
  if (!(error instanceof Error) || error.name !== 'CorruptStorageError' || !('file' in error)) return false;
  return error.file === path || path.startsWith(`${String(error.file)}/`);
}

function restore(machine: SimMachine): Effect {
  const { undamaged, disk, damaged, node } = machine;
  if (undamaged === undefined) throw new Error(`node ${node} has served since it was damaged, or never was`);
  disk.restore(undamaged);
  machine.undamaged = undefined;
  damaged.clear();
  return effectOf('proven', { files: undamaged.size });
}

function effectOf(effect: Effect['effect'], proof: Effect['proof']): Effect {
  return { effect, mechanism: 'simulated', proof };
}
