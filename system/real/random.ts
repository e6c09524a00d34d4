import { randomFillSync } from 'node:crypto';
import type { Random } from '../ports.ts';

/** Random numbers of the operating system, fetched many at a time. */
export function createRealRandom(): Random {
  const pool = new Uint32Array(256);
  let left = 0;
  return {
    uint32() {
      if (left === 0) {
        randomFillSync(pool);
        left = pool.length;
      }
      left--;
      return pool[left]!;
    },
  };
}
