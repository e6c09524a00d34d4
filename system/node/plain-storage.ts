import type { File, FileSystem } from '../ports.ts';
import type { Entry, HardState, SnapshotMetadata } from '../raft/index.ts';
import type {
  Appended,
  LogBatch,
  OpenedStorage,
  SnapshotFiles,
  SnapshotReader,
  WriteAheadLog,
} from '../storage/index.ts';

/** Stands in until `openStorage` of `system/storage` works: one JSON line a batch, each synced; nothing is purged. */
export async function openPlainStorage(fs: FileSystem): Promise<OpenedStorage> {
  await fs.makeDirectory('wal');
  await fs.makeDirectory('snapshots');
  await fs.syncDirectory('.');
  let file: File;
  try {
    file = await fs.open('wal/log', 'write');
  } catch {
    file = await fs.open('wal/log', 'create');
  }
  let size = await file.size();
  const bytes = await file.read(0, size);
  // A torn tail is overwritten.
  size = bytes.lastIndexOf(10) + 1;
  const text = new TextDecoder().decode(bytes.subarray(0, size));
  let hardState: HardState = { term: 0, vote: 0, commit: 0 };
  let entries: Entry[] = [];
  let snap: SnapshotMetadata | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    const r = JSON.parse(line);
    if (r.snapshot) {
      snap = r.snapshot;
      entries = r.mark ? entries.filter((e) => e.index > r.snapshot.index) : [];
    }
    for (const e of r.entries) {
      while (entries.length > 0 && entries[entries.length - 1]!.index >= e.index) entries.pop();
      entries.push({ ...e, data: new Uint8Array(Buffer.from(e.data, 'base64')) });
    }
    if (r.hardState) hardState = r.hardState;
  }
  let pending = 0;
  const queue: [object, Appended][] = [];
  let busy = false;
  const pump = () => {
    if (busy || queue.length === 0) return;
    busy = true;
    const [r, done] = queue.shift()!;
    const bytes = new TextEncoder().encode(`${JSON.stringify(r)}\n`);
    const at = size;
    size += bytes.length;
    file.writeDurably(at, [bytes], (e) => {
      busy = false;
      pending--;
      done(e);
      pump();
    });
  };
  const log: WriteAheadLog = {
    state: 'ready',
    get pending() {
      return pending;
    },
    append(b: LogBatch, done) {
      pending++;
      queue.push([
        {
          entries: b.entries.map((e) => ({ ...e, data: Buffer.from(e.data).toString('base64') })),
          hardState: b.hardState,
          snapshot: b.snapshot,
        },
        done,
      ]);
      pump();
    },
    markSnapshot(m, done) {
      pending++;
      queue.push([{ entries: [], snapshot: m, mark: true }, done]);
      pump();
    },
    retry() {},
    async purge() {},
    async close() {
      await file.close();
    },
  };
  const name = (m: { index: number; term: number }) => `snapshots/${m.index}-${m.term}`;
  const open = async (m: SnapshotMetadata): Promise<SnapshotReader> => {
    const f = await fs.open(name(m), 'read');
    const chunks = JSON.parse(new TextDecoder().decode(await f.read(0, await f.size()))) as string[];
    await f.close();
    let i = 0;
    return {
      metadata: m,
      stateBytes: 0,
      async next() {
        const c = chunks[i++];
        return c === undefined ? undefined : new Uint8Array(Buffer.from(c, 'base64'));
      },
      async close() {},
    };
  };
  const snapshots: SnapshotFiles = {
    async create(metadata) {
      const chunks: string[] = [];
      return {
        metadata,
        async write(c) {
          chunks.push(Buffer.from(c).toString('base64'));
        },
        async finish() {
          const temporary = `${name(metadata)}.tmp${Math.floor(size)}`;
          await fs.remove(temporary).catch(() => {});
          const f = await fs.open(temporary, 'create');
          await f.write(0, [new TextEncoder().encode(JSON.stringify(chunks))]);
          await f.datasync();
          await f.close();
          await fs.rename(temporary, name(metadata));
          await fs.syncDirectory('snapshots');
        },
        async abort() {},
      };
    },
    open,
    list() {
      return [];
    },
    hold() {
      return () => {};
    },
    async purge() {},
  };
  return { log, snapshots, hardState, snapshot: snap && (await open(snap)), entries, repairs: [] };
}
