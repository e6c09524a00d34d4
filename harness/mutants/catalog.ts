import type { Mutant } from './mutant.ts';

const rows: readonly Mutant[] = [];

/** Every planted bug, by the name that `--mutant` takes. */
export const mutants: ReadonlyMap<string, Mutant> = new Map(rows.map((mutant) => [mutant.name, mutant]));
