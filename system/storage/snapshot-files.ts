import { invariant } from '../assert.ts';
import { crc32c } from '../crc32c.ts';
import { getU32, putU32 } from '../entry-codec.ts';
import { type File, type FileSystem, PortError } from '../ports.ts';
import type { SnapshotMetadata } from '../raft/index.ts';
import { decodeJson, encodeJson, isCount, isObject, readSnapshotMetadata } from './log-record.ts';
import { CorruptStorageError } from './storage-error.ts';

/*
 * A snapshot file is a row of blocks: u32 length | u32 CRC-32C of the bytes, going on from the block before |
 * bytes. The first holds a JSON header, the last, which is empty and closes the chain, a length of 0.
 */
export const SNAPSHOT_DIRECTORY = 'snapshots';
const FORMAT = 1;
const BLOCK_HEADER_BYTES = 8;
/** A chunk is at most this long; so a damaged length is never believed. */
const BLOCK_BYTES_MAX = 16 << 20;
/** Bytes written between two syncs: the last sync is short, and the log's syncs never wait for much. */
const SYNC_BYTES = 8 << 20;

/** Writes one snapshot file: from our own state, or as it comes from a peer. One call at a time. */
export interface SnapshotWriter {
  readonly metadata: SnapshotMetadata;
  /** The chunk must not be changed before the promise resolves: await it, so that memory stays bounded. */
  write(chunk: Uint8Array): Promise<void>;
  /** Syncs the file, gives it its name, syncs the directory: durable when it resolves. */
  finish(): Promise<void>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

/** Reads one snapshot file, which is not purged before `close`. */
export interface SnapshotReader {
  readonly metadata: SnapshotMetadata;
  /** The next chunk as it was written; undefined at the end. @throws CorruptStorageError */
  next(): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

/** What a snapshot file is known by. */
export interface SnapshotId {
  readonly index: number;
  readonly term: number;
}

export class SnapshotFiles {
  private readonly fileSystem: FileSystem;
  private readonly clusterId: string;
  /** Oldest first. */
  private readonly files: SnapshotId[];
  /** How many readers and promises keep a file, by its name. */
  private readonly holders = new Map<string, number>();
  private temporary = 0;

  /** @param files that the directory holds, oldest first */
  constructor(fileSystem: FileSystem, clusterId: string, files: readonly SnapshotId[]) {
    this.fileSystem = fileSystem;
    this.clusterId = clusterId;
    this.files = [...files];
  }

  async create(metadata: SnapshotMetadata): Promise<SnapshotWriter> {
    this.temporary++;
    const path = `${SNAPSHOT_DIRECTORY}/${this.temporary}.tmp`;
    const file = await this.fileSystem.open(path, 'create');
    const added = () => this.add(metadata);
    const writer = new Writer(this.fileSystem, file, metadata, added);
    try {
      await writer.begin(this.clusterId);
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return writer;
  }

  /** Undefined when there is no such file. @throws CorruptStorageError when it is not what its name says */
  async open(id: SnapshotId): Promise<SnapshotReader | undefined> {
    const path = snapshotPath(id);
    const release = this.hold(id.index, id.term);
    try {
      const file = await this.fileSystem.open(path, 'read');
      try {
        return await openReader(file, this.clusterId, id, release);
      } catch (error) {
        await file.close();
        throw error;
      }
    } catch (error) {
      release();
      if (error instanceof PortError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Newest last. */
  list(): readonly SnapshotId[] {
    return this.files;
  }

  /**
   * Keeps the file until the returned function is called: for the time between promising a follower a snapshot
   * and opening it (etcd#18055).
   */
  hold(index: number, term: number): () => void {
    const path = snapshotPath({ index, term });
    this.holders.set(path, (this.holders.get(path) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const others = this.holders.get(path)! - 1;
      if (others === 0) this.holders.delete(path);
      else this.holders.set(path, others);
    };
  }

  /** Takes note that a file is gone. */
  forget(id: SnapshotId): void {
    this.files.splice(this.files.indexOf(id), 1);
  }

  /** Removes all but the newest `keep` files and those that are held or being read. */
  async purge(keep: number): Promise<void> {
    invariant(keep >= 1, 'the newest snapshot is never purged');
    const old = this.files.slice(0, -keep).filter((id) => !this.holders.has(snapshotPath(id)));
    for (const id of old) {
      this.forget(id);
      await this.fileSystem.remove(snapshotPath(id));
    }
    if (old.length > 0) await this.fileSystem.syncDirectory(SNAPSHOT_DIRECTORY);
  }

  private add({ index, term }: SnapshotMetadata): void {
    const same = this.files.findIndex((id) => id.index === index && id.term === term);
    if (same >= 0) this.files.splice(same, 1);
    const after = this.files.findIndex((id) => id.index > index || (id.index === index && id.term > term));
    this.files.splice(after < 0 ? this.files.length : after, 0, { index, term });
  }
}

export function snapshotPath({ index, term }: SnapshotId): string {
  return `${SNAPSHOT_DIRECTORY}/${hex(index)}-${hex(term)}.snapshot`;
}

/** Undefined when the name is not a snapshot's. */
export function snapshotId(name: string): SnapshotId | undefined {
  const parts = /^([0-9a-f]{16})-([0-9a-f]{16})\.snapshot$/.exec(name);
  if (parts === null) return undefined;
  return { index: Number.parseInt(parts[1]!, 16), term: Number.parseInt(parts[2]!, 16) };
}

function hex(number: number): string {
  return number.toString(16).padStart(16, '0');
}

class Writer implements SnapshotWriter {
  readonly metadata: SnapshotMetadata;
  private readonly fileSystem: FileSystem;
  private readonly file: File;
  private readonly added: () => void;
  private position = 0;
  private synced = 0;
  private checksum = 0;
  private closed = false;

  constructor(fileSystem: FileSystem, file: File, metadata: SnapshotMetadata, added: () => void) {
    this.fileSystem = fileSystem;
    this.file = file;
    this.metadata = metadata;
    this.added = added;
  }

  async begin(clusterId: string): Promise<void> {
    await this.block(encodeJson({ format: FORMAT, clusterId, metadata: this.metadata }));
  }

  async write(chunk: Uint8Array): Promise<void> {
    invariant(chunk.length <= BLOCK_BYTES_MAX, 'a chunk is within its bound', () => ({ bytes: chunk.length }));
    if (chunk.length > 0) await this.block(chunk);
  }

  async finish(): Promise<void> {
    await this.block(new Uint8Array(0));
    await this.file.datasync();
    await this.close();
    await this.fileSystem.rename(this.file.path, snapshotPath(this.metadata));
    await this.fileSystem.syncDirectory(SNAPSHOT_DIRECTORY);
    this.added();
  }

  async abort(): Promise<void> {
    await this.close();
    await this.fileSystem.remove(this.file.path);
  }

  /** Once: after a `finish` that failed late, the descriptor may be another file's already. */
  private async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.file.close();
  }

  private async block(bytes: Uint8Array): Promise<void> {
    this.checksum = crc32c(bytes, this.checksum);
    const header = new Uint8Array(BLOCK_HEADER_BYTES);
    putU32(header, 0, bytes.length);
    putU32(header, 4, this.checksum);
    await this.file.write(this.position, [header, bytes]);
    this.position += BLOCK_HEADER_BYTES + bytes.length;
    if (this.position - this.synced >= SYNC_BYTES) {
      await this.file.datasync();
      this.synced = this.position;
    }
  }
}

async function openReader(file: File, clusterId: string, id: SnapshotId, release: () => void): Promise<SnapshotReader> {
  const fileBytes = await file.size();
  let position = 0;
  let checksum = 0;
  let ended = false;
  /** Of the block at `position`: read together with the block before it. */
  let blockHeader = await file.read(0, BLOCK_HEADER_BYTES);
  /** The block at `position` and the header after it. */
  let reading = readBlock();

  function readBlock(): Promise<Uint8Array> {
    const length = blockHeader.length < BLOCK_HEADER_BYTES ? 0 : Math.min(getU32(blockHeader, 0), BLOCK_BYTES_MAX);
    const read = file.read(position + BLOCK_HEADER_BYTES, length + BLOCK_HEADER_BYTES);
    read.catch(() => {}); // Told to whoever asks for this block, if anybody does.
    return read;
  }

  async function block(): Promise<Uint8Array> {
    const read = await reading;
    if (blockHeader.length < BLOCK_HEADER_BYTES) throw damaged('it ends too early');
    const length = getU32(blockHeader, 0);
    if (length > BLOCK_BYTES_MAX) throw damaged('a block of impossible length');
    if (read.length < length) throw damaged('it ends too early');
    const bytes = read.subarray(0, length);
    checksum = crc32c(bytes, checksum);
    if (checksum !== getU32(blockHeader, 4)) throw damaged('a block with a wrong checksum');
    blockHeader = read.slice(length);
    position += BLOCK_HEADER_BYTES + length;
    return bytes;
  }

  function damaged(what: string): CorruptStorageError {
    return new CorruptStorageError(file.path, position, `damaged snapshot: ${what}`);
  }

  const header = decodeJson(await block());
  if (!isObject(header) || !isCount(header.format)) throw damaged('no header');
  if (header.format !== FORMAT) throw damaged(`format ${header.format}, this version reads ${FORMAT}`);
  if (header.clusterId !== clusterId) throw damaged(`of cluster ${header.clusterId}, not ${clusterId}`);
  const metadata = readSnapshotMetadata(header.metadata);
  if (metadata === undefined) throw damaged('no header');
  if (metadata.index !== id.index || metadata.term !== id.term) {
    throw damaged(`it holds index ${metadata.index} of term ${metadata.term}, not what its name says`);
  }
  reading = readBlock();
  return {
    metadata,
    next: async () => {
      if (ended) return undefined;
      const bytes = await block();
      if (bytes.length > 0) {
        // While the caller works on this one.
        reading = readBlock();
        return bytes;
      }
      ended = true;
      if (position !== fileBytes) throw damaged('it goes on after its end');
      return undefined;
    },
    close: async () => {
      release();
      await reading.catch(() => {});
      await file.close();
    },
  };
}
