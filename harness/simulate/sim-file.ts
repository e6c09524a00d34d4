import type { Random } from '../generator/random.ts';

/** What a page cache writes at a time, and so what a power loss keeps or loses as a whole. */
export const pageBytes = 4096;
/** What a disk writes at a time: a page that was being written when the power went is torn at such a seam. */
export const sectorBytes = 512;

/** What stands where nothing was written, for writes of up to so many bytes. */
const zeros = new Uint8Array(64 * 1024);

const nothing = new Uint8Array(0);
/** What is made room for at least. */
const roomBytesMin = 4096;

/** A write that is in the page cache and not yet on the platter, with what stood there before. */
interface Unsynced {
  readonly position: number;
  readonly before: Uint8Array;
  readonly lengthBefore: number;
}

/** A file as the page cache shows it, with what it takes to undo what no sync has made durable. */
export class SimFile {
  /** Whoever damages them stays within `contentBytes`. */
  bytes: Uint8Array = nothing;
  length = 0;
  /** From here on nothing but zeros was ever written. */
  #zerosFrom = 0;
  #unsynced: Unsynced[] = [];
  /**
   * Of syncs that failed: still in the cache, and clean, so that no later sync writes them unless their page is
   * written to again (fsyncgate). By pages, oldest first, all of them older than `#unsynced`.
   */
  #forsaken: Unsynced[] = [];

  write(position: number, data: Uint8Array): void {
    const end = position + data.length;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(roomBytesMin, end, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    // Nearly every write of a log goes to zeros that were made ahead of it.
    const isFirst = data.length <= zeros.length && (position >= this.#zerosFrom || isZero(this.bytes, position, end));
    const before = isFirst ? zeros.subarray(0, data.length) : this.bytes.slice(position, end);
    this.#unsynced.push({ position, before, lengthBefore: this.length });
    if (end > this.#zerosFrom && !isZero(data, 0, data.length)) this.#zerosFrom = end;
    this.bytes.set(data, position);
    this.length = Math.max(this.length, end);
  }

  truncate(length: number): void {
    this.bytes.fill(0, length, this.length);
    this.length = length;
  }

  /** Begins to make durable what was written before; `fail` when the disk did not do it. */
  beginSync(): { end(): void; fail(random: Random): void } {
    const covered = this.#unsynced.slice();
    const settle = () => {
      // Nearly always they are still the oldest, if not the only ones.
      if (covered.length === this.#unsynced.length && covered.at(-1) === this.#unsynced.at(-1)) this.#unsynced = [];
      else {
        const settled = new Set(covered);
        this.#unsynced = this.#unsynced.filter((write) => !settled.has(write));
      }
    };
    return {
      end: () => {
        settle();
        if (this.#forsaken.length === 0) return;
        const written = pagesOf(covered);
        this.#forsaken = this.#forsaken.filter(({ position }) => !written.has(pageAt(position)));
      },
      fail: (random) => {
        // What another sync has made durable meanwhile, is.
        const settled = new Set(covered);
        const pieces = this.#unsynced.filter((write) => settled.has(write)).flatMap(byPages);
        settle();
        this.#forsaken.push(...pieces.filter(() => random.below(2) === 0));
      },
    };
  }

  /** The kernel needs room, and drops from its cache what it takes for written. Returns bytes lost. */
  dropClean(): number {
    const dirty = pagesOf(this.#unsynced);
    const [kept, dropped] = [[] as Unsynced[], [] as Unsynced[]];
    for (const piece of this.#forsaken) (dirty.has(pageAt(piece.position)) ? kept : dropped).push(piece);
    this.#forsaken = kept;
    for (const { position, before } of dropped.toReversed()) this.bytes.set(before, position);
    return dropped.reduce((sum, { before }) => sum + before.length, 0);
  }

  /**
   * Takes back unsynced writes, page by page as chance will have it: half of the pages never left the cache, a quarter
   * did, a quarter was being written, and is torn between two sectors. Returns bytes lost.
   */
  losePower(random: Random): number {
    const keptUntil = new Map<number, number>();
    for (const page of [...pagesOf(this.#unsynced)].sort((a, b) => a - b)) {
      const fate = random.below(4);
      const kept = fate === 0 ? pageBytes : fate === 1 ? sectorBytes * random.below(pageBytes / sectorBytes) : 0;
      keptUntil.set(page, page * pageBytes + kept);
    }
    let lost = 0;
    for (const write of this.#unsynced.reverse()) {
      for (const { position, before } of byPages(write)) {
        const from = Math.max(position, keptUntil.get(pageAt(position)) ?? position);
        if (from >= position + before.length) continue;
        this.bytes.set(before.subarray(from - position), from);
        lost += position + before.length - from;
      }
      if (lost > 0 && write.lengthBefore < this.length && random.below(2) === 0) this.truncate(write.lengthBefore);
    }
    this.#unsynced = [];
    const isWritten = (page: number) => keptUntil.get(page) === (page + 1) * pageBytes;
    this.#forsaken = this.#forsaken.filter(({ position }) => !isWritten(pageAt(position)));
    return lost + this.dropClean();
  }

  /** Where what was written ends: what follows is the zeros of a file that was made ahead of need. */
  get contentBytes(): number {
    let end = this.length;
    while (end > 0 && this.bytes[end - 1] === 0) end--;
    return end;
  }

  /** All of it at this moment, as a file of its own with nothing unsynced. */
  copy(): SimFile {
    const copy = new SimFile();
    copy.bytes = this.bytes.slice();
    copy.length = this.length;
    copy.#zerosFrom = this.#zerosFrom;
    return copy;
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

function pageAt(position: number): number {
  return Math.floor(position / pageBytes);
}

function pagesOf(writes: readonly Unsynced[]): ReadonlySet<number> {
  return new Set(writes.flatMap(byPages).map(({ position }) => pageAt(position)));
}

function byPages({ position, before, lengthBefore }: Unsynced): Unsynced[] {
  const pieces: Unsynced[] = [];
  for (let at = 0; at < before.length; ) {
    const next = Math.min(before.length, (pageAt(position + at) + 1) * pageBytes - position);
    pieces.push({ position: position + at, before: before.subarray(at, next), lengthBefore });
    at = next;
  }
  return pieces;
}
