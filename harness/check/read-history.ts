import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { HistoryError } from '../../checker/history/history-error.ts';
import { type ParsedHistory, parseHistory, recognise } from '../../checker/history/parse.ts';

/** Bound on a history's size, unpacked. */
const BYTES_MAX = 2 ** 31;
const SNIFF_BYTES = 1 << 16;

/**
 * Reads a history file in any of the formats of `parseHistory`, gzip or not; `-` is standard input.
 *
 * @throws HistoryError for what is not a history; Node's own errors for a file that cannot be read.
 */
export async function readHistory(path: string): Promise<ParsedHistory> {
  return parseHistory(await readBytes(path));
}

async function readBytes(path: string): Promise<Uint8Array> {
  if (path === '-') return collect(process.stdin);
  if ((await stat(path)).isFile()) {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > BYTES_MAX) throw tooLarge();
      const start = Buffer.alloc(Math.min(size, SNIFF_BYTES));
      await file.read(start, 0, start.length, 0);
      if (!isGzip(start)) {
        // What is no history is refused before all of it is read.
        recognise(start);
        return await file.readFile();
      }
    } finally {
      await file.close();
    }
  }
  return collect(createReadStream(path));
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function tooLarge(): HistoryError {
  return new HistoryError(`the history is larger than ${BYTES_MAX} bytes`);
}

/** Reads a stream to its end, unpacking it if it is packed. */
async function collect(source: Readable): Promise<Uint8Array> {
  const iterator = source.iterator({ destroyOnReturn: true });
  const first = (await iterator.next()) as IteratorResult<Buffer, undefined>;
  if (first.done === true) return new Uint8Array();
  async function* all(): AsyncGenerator<Buffer> {
    yield first.value as Buffer;
    for await (const chunk of iterator) yield chunk as Buffer;
  }
  const packed = isGzip(first.value);
  const stream = packed ? Readable.from(all()).pipe(createGunzip()) : all();
  const chunks: Buffer[] = [];
  let length = 0;
  let sniffed = false;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > BYTES_MAX) throw tooLarge();
      if (!sniffed && length >= SNIFF_BYTES) {
        recognise(Buffer.concat(chunks));
        sniffed = true;
      }
    }
  } catch (error) {
    if (!packed || error instanceof HistoryError) throw error;
    throw new HistoryError(`the gzip data is cut or broken: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    source.destroy();
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}
