import type { FileSystem } from '../ports.ts';
import type { Entry, HardState, SnapshotMetadata } from '../raft/index.ts';
import { type LogEnd, LogReplay, type TornTail } from './log-replay.ts';
import { LOG_DIRECTORY, SegmentFiles, segmentPath, segmentSequence } from './segment-files.ts';
import { SegmentedLog } from './segmented-log.ts';
import {
  SNAPSHOT_DIRECTORY,
  SnapshotFiles,
  type SnapshotId,
  type SnapshotReader,
  snapshotId,
  snapshotPath,
} from './snapshot-files.ts';
import { CorruptStorageError } from './storage-error.ts';
import type { WriteAheadLog } from './write-ahead-log.ts';

export interface StorageOptions {
  /** A log or snapshot of another cluster or node is refused. */
  readonly clusterId: string;
  readonly nodeId: number;
  /** Of one log segment, filled with zeros ahead. */
  readonly segmentBytes?: number;
  /** Batches with the disk at once. */
  readonly inFlightMax?: number;
}

const SEGMENT_BYTES = 16 << 20;
const IN_FLIGHT_MAX = 2;
/** Torn tails and damaged snapshots that are kept for whoever wants to look; older ones go. */
const KEPT_ASIDE_MAX = 8;

/** Something that was mended at start: a torn tail that was cut, a damaged snapshot that an older one stood in for. */
export interface Repair {
  readonly file: string;
  readonly offset: number;
  readonly message: string;
  /** Where what was cut is kept. */
  readonly keptAside: string;
}

/** All that the disk knows. */
export interface OpenedStorage {
  readonly log: WriteAheadLog;
  readonly snapshots: SnapshotFiles;
  /** All 0 for a new log. `commit` is never below the snapshot's index. */
  readonly hardState: HardState;
  /** Of the state that `restore` has built. */
  readonly snapshot: SnapshotMetadata | undefined;
  /** All entries after the snapshot, without a gap. */
  readonly entries: readonly Entry[];
  readonly repairs: readonly Repair[];
}

/**
 * Builds the state from a snapshot's pieces, and takes it over at their end. When they turn out to be damaged before it,
 * nothing has changed, and the next older snapshot follows.
 */
type RestoreSnapshot = (snapshot: Pick<SnapshotReader, 'metadata' | 'next'>) => Promise<void>;

/**
 * Opens or makes the log (`wal/`) and the snapshot files (`snapshots/`).
 * @param restore reads the newest usable snapshot, if there is one
 * @throws CorruptStorageError what was once durable is damaged, or belongs to another node
 * @throws PortError
 */
export async function openStorage(
  fileSystem: FileSystem,
  options: StorageOptions,
  restore: RestoreSnapshot,
): Promise<OpenedStorage> {
  const { clusterId, nodeId, segmentBytes = SEGMENT_BYTES, inFlightMax = IN_FLIGHT_MAX } = options;
  const repairs: Repair[] = [];
  for (const directory of [LOG_DIRECTORY, SNAPSHOT_DIRECTORY]) await fileSystem.makeDirectory(directory);
  await fileSystem.syncDirectory('.');

  const segments = new SegmentFiles(fileSystem, segmentBytes);
  const sequences = await segmentSequences(fileSystem);
  if (sequences.length === 0) {
    await segments.begin(1, 0);
    sequences.push(1);
  }
  const replay = new LogReplay(clusterId, nodeId);
  for (const sequence of sequences) {
    const path = segmentPath(sequence);
    const bytes = await readWhole(fileSystem, path);
    const torn = replay.segment(path, bytes, sequence, sequence !== sequences.at(-1));
    if (torn !== undefined) repairs.push(await cut(fileSystem, path, bytes, torn));
    if (sequence === sequences.at(-1)) await writeAgain(fileSystem, path, bytes, replay.end!);
  }
  await fileSystem.syncDirectory(LOG_DIRECTORY);

  const snapshots = new SnapshotFiles(fileSystem, clusterId, await snapshotIds(fileSystem, replay));
  const snapshot = await restoreNewest(fileSystem, snapshots, replay, repairs, restore);
  const index = snapshot?.index ?? 0;
  if (index < replay.base) {
    throw new CorruptStorageError(
      SNAPSHOT_DIRECTORY,
      0,
      `the log begins after entry ${replay.base}, and no readable snapshot reaches that far: remove the data directory, and let the node join again as a new member`,
    );
  }
  const { term, vote, commit } = replay.hardState;
  if (commit > Math.max(index, replay.lastIndex)) {
    throw new CorruptStorageError(
      LOG_DIRECTORY,
      0,
      `entries up to ${commit} were committed, the log ends at ${replay.lastIndex}`,
    );
  }
  await keepFew(fileSystem);
  return {
    log: await SegmentedLog.open(
      fileSystem,
      segments,
      { clusterId, nodeId, inFlightMax },
      sequences,
      replay,
      replay.end!,
    ),
    snapshots,
    hardState: { term, vote, commit: Math.max(commit, index) },
    snapshot,
    entries: replay.entries.slice(index - replay.base),
    repairs,
  };
}

async function segmentSequences(fileSystem: FileSystem): Promise<number[]> {
  const sequences = (await fileSystem.list(LOG_DIRECTORY)).flatMap((name) => segmentSequence(name) ?? []);
  for (const [at, sequence] of sequences.entries()) {
    const before = sequences[at - 1];
    if (before !== undefined && sequence !== before + 1) {
      throw new CorruptStorageError(segmentPath(before + 1), 0, 'this segment of the log is missing');
    }
  }
  return sequences;
}

async function readWhole(fileSystem: FileSystem, path: string): Promise<Uint8Array> {
  const file = await fileSystem.open(path, 'read');
  try {
    return await file.read(0, await file.size());
  } finally {
    await file.close();
  }
}

/** Puts a torn tail aside, then overwrites it with zeros: in this order, so that a crash between loses nothing. */
async function cut(fileSystem: FileSystem, path: string, bytes: Uint8Array, { from, to }: TornTail): Promise<Repair> {
  const tail = bytes.subarray(from, to);
  const keptAside = await freePath(fileSystem, `${path}-${from}`, 'torn');
  const aside = await fileSystem.open(keptAside, 'create');
  await aside.write(0, [tail]);
  await aside.datasync();
  await aside.close();
  await fileSystem.syncDirectory(LOG_DIRECTORY);
  const file = await fileSystem.open(path, 'write');
  await file.write(from, [new Uint8Array(tail.length)]);
  await file.datasync();
  await file.close();
  const message = `a torn tail of ${tail.length} bytes, of a write that was never acknowledged, was cut off`;
  return { file: path, offset: from, message, keptAside };
}

/**
 * Makes durable what was just read. The process that wrote it may have ended before its sync, and the node is about to
 * speak of it to others. It takes writing it again: what a failed sync covered is clean for the kernel, and a further
 * sync would do nothing (fsyncgate).
 */
async function writeAgain(
  fileSystem: FileSystem,
  path: string,
  bytes: Uint8Array,
  { unsure, position }: LogEnd,
): Promise<void> {
  if (unsure >= position) return;
  const file = await fileSystem.open(path, 'write');
  try {
    await file.write(unsure, [bytes.subarray(unsure, position)]);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function freePath(fileSystem: FileSystem, path: string, suffix: string): Promise<string> {
  const directory = path.slice(0, path.lastIndexOf('/'));
  const names = new Set(await fileSystem.list(directory));
  for (let number = 1; ; number++) {
    const free = `${path}.${number}.${suffix}`;
    if (!names.has(free.slice(directory.length + 1))) return free;
  }
}

/** Removes leftovers: half-written files, and files that no durable record of the log speaks of. */
async function snapshotIds(fileSystem: FileSystem, { snapshot: newest }: LogReplay): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  for (const name of await fileSystem.list(SNAPSHOT_DIRECTORY)) {
    const id = snapshotId(name);
    const known = id !== undefined && newest !== undefined && isAtMost(id, newest);
    if (known) ids.push(id);
    else if (id !== undefined || name.endsWith('.tmp')) await fileSystem.remove(`${SNAPSHOT_DIRECTORY}/${name}`);
  }
  return ids;
}

function isAtMost(id: SnapshotId, newest: SnapshotId): boolean {
  return id.index < newest.index || (id.index === newest.index && id.term === newest.term);
}

/** From the newest snapshot that is whole and from which the log goes on. What is damaged is put aside. */
async function restoreNewest(
  fileSystem: FileSystem,
  snapshots: SnapshotFiles,
  replay: LogReplay,
  repairs: Repair[],
  restore: RestoreSnapshot,
): Promise<SnapshotMetadata | undefined> {
  for (const id of snapshots.list().toReversed()) {
    if (id.index < replay.base) return undefined;
    try {
      checkTerm(replay, id);
      return await restoreFrom(snapshots, id, restore);
    } catch (error) {
      if (!(error instanceof CorruptStorageError)) throw error;
      const path = snapshotPath(id);
      const keptAside = await freePath(fileSystem, path, 'damaged');
      await fileSystem.rename(path, keptAside);
      await fileSystem.syncDirectory(SNAPSHOT_DIRECTORY);
      snapshots.forget(id);
      repairs.push({ file: path, offset: error.offset, message: error.message, keptAside });
    }
  }
  return undefined;
}

/** @throws CorruptStorageError when any of it is damaged */
async function restoreFrom(
  snapshots: SnapshotFiles,
  id: SnapshotId,
  restore: RestoreSnapshot,
): Promise<SnapshotMetadata | undefined> {
  const reader = await snapshots.open(id);
  if (reader === undefined) return undefined;
  try {
    await restore(reader);
    return reader.metadata;
  } finally {
    await reader.close();
  }
}

/** The log and the snapshot must tell the same story. @throws CorruptStorageError */
function checkTerm(replay: LogReplay, { index, term }: SnapshotId): void {
  const entry = replay.entries[index - replay.base - 1];
  if (entry === undefined || entry.term === term) return;
  throw new CorruptStorageError(
    snapshotPath({ index, term }),
    0,
    `a snapshot of index ${index} in term ${term}, but the log has that index in term ${entry.term}`,
  );
}

async function keepFew(fileSystem: FileSystem): Promise<void> {
  for (const [directory, suffix] of [
    [LOG_DIRECTORY, '.torn'],
    [SNAPSHOT_DIRECTORY, '.damaged'],
  ] as const) {
    const names = (await fileSystem.list(directory)).filter((name) => name.endsWith(suffix));
    for (const name of names.slice(0, -KEPT_ASIDE_MAX)) await fileSystem.remove(`${directory}/${name}`);
  }
}
