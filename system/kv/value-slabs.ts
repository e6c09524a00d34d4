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
const NO_BYTES = new Uint8Array(0);

/**
 * Where values live. A slab is only ever appended to, so a value that was read stays what it was; when less than
 * half of a slab is live, what lives moves on and the slab is left to the garbage collector (the cleaner of
 * log-structured stores, Rosenblum and Ousterhout 1991). So the memory kept is at most about twice what is live.
 */
export class ValueSlabs {
  private current: Slab = { bytes: new Uint8Array(SLAB_BYTES), liveBytes: 0, versions: [] };
  private used = 0;

  /** Makes `bytes`, which stay the caller's, the value of a version. */
  store(version: Version, bytes: Uint8Array): void {
    const length = bytes.length;
    version.slab = undefined;
    if (length === 0) version.value = NO_BYTES;
    else if (length > SHARED_BYTES_MAX) version.value = bytes.slice();
    else {
      if (this.used + length > SLAB_BYTES) this.seal();
      const slab = this.current;
      slab.bytes.set(bytes, this.used);
      version.value = slab.bytes.subarray(this.used, this.used + length);
      this.used += length;
      slab.liveBytes += length;
      slab.versions.push(version);
      version.slab = slab;
    }
  }

  /** Takes note that nothing in the store refers to the version any more. */
  release(version: Version): void {
    const slab = version.slab;
    if (slab === undefined) return;
    version.slab = undefined;
    slab.liveBytes -= (version.value as Uint8Array).length;
    if (slab !== this.current) this.clean(slab);
  }

  /** Takes in a version whose value is a view into a piece of a snapshot, of which `slab` is made. */
  adopt(version: Version, slab: Slab): void {
    if (!(version.value instanceof Uint8Array)) return;
    slab.liveBytes += version.value.length;
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
    for (const version of moving) if (version.slab === slab) this.store(version, version.value as Uint8Array);
  }
}
