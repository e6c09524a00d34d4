import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';

/** A run folder as one text, to be sent from the machine that made it. */
const filesSchema = z.record(z.string(), z.string());
const unpackedBytesMax = 1 << 30;

/**
 * Whole files, small ones first, as many as fit: a node's data may be left behind, its history never is unless it alone
 * is too large.
 * @param bytesMax of the files together
 */
export function pack(folder: string, bytesMax: number): string {
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => ({ name, stat: statSync(join(folder, name), { throwIfNoEntry: false }) }))
    .flatMap(({ name, stat }) => (stat?.isFile() ? [{ name, bytes: stat.size }] : []))
    .sort((a, b) => a.bytes - b.bytes);
  const files: { [name: string]: string } = {};
  let bytes = 0;
  for (const file of found) {
    bytes += file.bytes;
    if (bytes > bytesMax) break;
    files[file.name.replaceAll(sep, '/')] = readFileSync(join(folder, file.name)).toString('base64');
  }
  return gzipSync(JSON.stringify(files)).toString('base64');
}

/**
 * Writes the files below a folder, which is made.
 * @throws Error for what is no packed folder, or would write outside
 */
export function unpack(packed: string, folder: string): void {
  const json = gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: unpackedBytesMax }).toString('utf8');
  for (const [name, content] of Object.entries(filesSchema.parse(JSON.parse(json)))) {
    const path = normalize(name);
    if (path.startsWith('..') || path.startsWith(sep) || path.includes('\0')) {
      throw new Error(`a packed folder has the name ${JSON.stringify(name)}, which is outside of it`);
    }
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), Buffer.from(content, 'base64'));
  }
}
