import { createReadStream } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, createDeflateRaw } from 'node:zlib';

/** A file that goes into an archive. */
export interface ZipEntry {
  /** With `/`, relative. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
}

/** The format without its 64-bit extension holds no more. */
const bytesMax = 0xffffffff;
const entriesMax = 0xffff;

/** An archive that would be too large for the format. */
export class ZipTooLarge extends Error {
  override readonly name = 'ZipTooLarge';
}

/** All regular files below a folder, links left out, in order of name. Throws ZipTooLarge. */
export async function zipEntries(folder: string, below: string): Promise<readonly ZipEntry[]> {
  const found = await readdir(folder, { withFileTypes: true, recursive: true });
  const entries: ZipEntry[] = [];
  let total = 0;
  for (const file of found) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    const handle = await open(path);
    const { size } = await handle.stat().finally(() => handle.close());
    total += size;
    entries.push({ name: `${below}/${path.slice(folder.length + 1)}`, path, size });
  }
  if (total > bytesMax || entries.length > entriesMax) throw new ZipTooLarge(`${folder} is too large for one archive`);
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * A zip archive, piece by piece (PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.4). Sizes and checksums follow each
 * file's data, so that nothing has to be read twice; of a file that grows meanwhile, what was there at first is taken.
 */
export async function* zip(entries: readonly ZipEntry[]): AsyncGenerator<Buffer> {
  const central: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const local = header(
      0x04034b50,
      [2, 20],
      [2, flags],
      [2, deflated],
      [4, dosTime],
      [4, 0],
      [4, 0],
      [4, 0],
      [2, name.length],
      [2, 0],
    );
    yield local;
    yield name;
    let crc = 0;
    let size = 0;
    let packed = 0;
    const source = entry.size === 0 ? [] : createReadStream(entry.path, { end: entry.size - 1 });
    const deflate = createDeflateRaw();
    const feed = (async () => {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        crc = crc32(chunk, crc);
        size += chunk.length;
        if (!deflate.write(chunk)) await new Promise((resolve) => deflate.once('drain', resolve));
      }
      deflate.end();
    })();
    // Read errors end the archive: half a file must not look like a whole one.
    feed.catch((error: Error) => deflate.destroy(error));
    for await (const chunk of deflate as AsyncIterable<Buffer>) {
      packed += chunk.length;
      yield chunk;
    }
    await feed;
    const sums = [
      [4, crc],
      [4, packed],
      [4, size],
    ] as const;
    yield header(0x08074b50, ...sums);
    central.push(
      header(
        0x02014b50,
        [2, 20],
        [2, 20],
        [2, flags],
        [2, deflated],
        [4, dosTime],
        ...sums,
        [2, name.length],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, offset],
      ),
      name,
    );
    offset += local.length + name.length + packed + 16;
  }
  const directory = Buffer.concat(central);
  yield directory;
  yield header(
    0x06054b50,
    [2, 0],
    [2, 0],
    [2, entries.length],
    [2, entries.length],
    [4, directory.length],
    [4, offset],
    [2, 0],
  );
}

/** Bit 3: sizes follow the data; bit 11: names are UTF-8. */
const flags = 0x0808;
const deflated = 8;
/** 1980-01-01: the same run always makes the same archive. */
const dosTime = 0x00210000;

function header(signature: number, ...fields: readonly (readonly [bytes: 2 | 4, value: number])[]): Buffer {
  const bytes = Buffer.alloc(4 + fields.reduce((sum, [length]) => sum + length, 0));
  bytes.writeUInt32LE(signature, 0);
  let at = 4;
  for (const [length, value] of fields) {
    bytes.writeUIntLE(value, at, length);
    at += length;
  }
  return bytes;
}
