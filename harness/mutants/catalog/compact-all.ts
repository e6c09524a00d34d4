import type { Edit } from '../mutant.ts';

/** The log is let go up to the snapshot, with no margin for followers that lag. */
export const compactAll: Edit = {
  file: 'system/node/snapshotter.ts',
  find: `if (margin >= this.#memory.firstIndex()) this.#memory.compact(margin);`,
  replace: `this.#memory.compact(index);`,
};
