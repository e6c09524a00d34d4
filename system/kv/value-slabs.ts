import type { Version } from './version.ts';

/** A large array that many small values share: making an array for each costs far more than copying 256 bytes. */
export interface Slab {
  readonly bytes: Uint8Array;
  liveBytes: number;
  /** All that were put here; those that still are have this slab as theirs. */
  versions: Version[];
}

const SLAB_BYTES = 64 * 1024;
/** A larger value gets an array of its own. */
const SHARED_BYTES_MAX = SLAB_BYTES / 8;

/**
 * Where values live. A slab is only ever appended to, so a value that was read stays what it was; when less than
 * half of a slab is live, what lives moves on and the slab is left to the garbage collector (the cleaner of
 * log-structured stores, Rosenblum and Ousterhout 1991). So the memory kept is at most about twice what is live.
 */
export class ValueSlabs {
  private current: Slab = { bytes: new Uint8Array(SLAB_BYTES), liveBytes: 0, versions: [] };
  private used = 0;

  /** Makes `bytes`, which stay the caller's, the bytes that a version holds. */
  store(version: Version, bytes: Uint8Array): void {
    const length = bytes.length;
    if (length > SHARED_BYTES_MAX) version.array = bytes.slice();
    else if (length > 0) this.place(version).set(bytes, version.start);
  }

  /** Gives a version room for its bytes. @returns the array that they belong in, at its `start` */
  private place(version: Version): Uint8Array {
    const { length } = version;
    if (this.used + length > SLAB_BYTES) this.seal();
    const slab = this.current;
    version.array = slab.bytes;
    version.start = this.used;
    version.slab = slab;
    this.used += length;
    slab.liveBytes += length;
    slab.versions.push(version);
    return slab.bytes;
  }

  /** Takes note that nothing in the store refers to the version any more. */
  release(version: Version): void {
    const slab = version.slab;
    if (slab === undefined) return;
    version.slab = undefined;
    slab.liveBytes -= version.length;
    if (slab !== this.current) this.clean(slab);
  }

  /** Takes in a version whose bytes lie at `start` in a piece of a snapshot, of which `slab` is made. */
  adopt(version: Version, slab: Slab, start: number): void {
    version.array = slab.bytes;
    version.start = start;
    slab.liveBytes += version.length;
    slab.versions.push(version);
    version.slab = slab;
  }

  private seal(): void {
    const full = this.current;
    this.current = { bytes: new Uint8Array(SLAB_BYTES), liveBytes: 0, versions: [] };
    this.used = 0;
    this.clean(full);
  }

  private clean(slab: Slab): void {
    if (slab.liveBytes * 2 >= slab.bytes.length) return;
    const moving = slab.versions;
    slab.versions = [];
    for (const version of moving) {
      if (version.slab !== slab) continue;
      const { start } = version;
      const array = this.place(version);
      array.set(slab.bytes.subarray(start, start + version.length), version.start);
    }
  }
}
