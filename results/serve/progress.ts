import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { files } from '../store/layout.ts';

/** How far a running test is, from the files that it is writing. */
export interface RunProgress {
  readonly invoked: number;
  readonly ok: number;
  readonly fail: number;
  readonly info: number;
  readonly faults: number;
  /** The runner's last note of what it is at. */
  readonly phase: string;
  /** Of the run's time. */
  readonly elapsedNs: number;
}

const chunkBytes = 1 << 20;
/** A reader of one page waits for no more than this; the rest is counted the next time. */
const bytesMax = 64 << 20;
const watchedMax = 100;

interface Watched {
  position: number;
  faultsPosition: number;
  counts: { invoked: number; ok: number; fail: number; info: number; faults: number };
  phase: string;
  elapsedNs: number;
}

/** Follows histories as they grow: each byte is read once. */
export class ProgressReader {
  #watched = new Map<string, Watched>();

  /** The progress of a run's folder up to now. */
  read(folder: string): RunProgress {
    const watched = this.#watched.get(folder) ?? {
      position: 0,
      faultsPosition: 0,
      counts: { invoked: 0, ok: 0, fail: 0, info: 0, faults: 0 },
      phase: 'set-up',
      elapsedNs: 0,
    };
    this.#watched.delete(folder);
    this.#watched.set(folder, watched);
    const [oldest] = this.#watched.keys();
    if (this.#watched.size > watchedMax && oldest !== undefined) this.#watched.delete(oldest);
    watched.position = follow(join(folder, files.history), watched.position, (line) => noteEvent(watched, line));
    watched.faultsPosition = follow(join(folder, files.faults), watched.faultsPosition, (line) => {
      if (line.includes('"phase":"start"')) watched.counts.faults++;
    });
    return { ...watched.counts, phase: watched.phase, elapsedNs: watched.elapsedNs };
  }
}

function noteEvent(watched: Watched, line: string): void {
  const event = parse(line);
  if (event === undefined) return;
  if (typeof event.time === 'number') watched.elapsedNs = event.time;
  if (event.process === 'nemesis') {
    if (event.f === 'phase' && typeof event.value === 'string') watched.phase = event.value;
    return;
  }
  if (event.type === 'invoke') watched.counts.invoked++;
  else if (event.type === 'ok' || event.type === 'fail' || event.type === 'info') watched.counts[event.type]++;
}

function parse(line: string): { readonly [name: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Calls back with each whole line from a position on, and returns where the next one begins. */
function follow(path: string, from: number, onLine: (line: string) => void): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return from;
  }
  try {
    const chunk = Buffer.alloc(chunkBytes);
    let position = from;
    while (position - from < bytesMax) {
      const length = readSync(descriptor, chunk, 0, chunkBytes, position);
      const end = chunk.subarray(0, length).lastIndexOf(0x0a) + 1;
      // A line longer than a chunk is not what the recorder writes often; it is passed over.
      if (length === 0 || (end === 0 && length < chunkBytes)) break;
      for (const line of chunk.toString('utf8', 0, end).split('\n')) if (line !== '') onLine(line);
      position += end === 0 ? length : end;
    }
    return position;
  } finally {
    closeSync(descriptor);
  }
}
