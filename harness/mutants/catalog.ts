import { clients } from './catalog/clients.ts';
import { durability } from './catalog/durability.ts';
import { elections } from './catalog/elections.ts';
import { members } from './catalog/members.ts';
import { replication } from './catalog/replication.ts';
import type { Mutant } from './mutant.ts';

/**
 * Every planted bug, by the name that `--mutant` takes: bugs that real systems shipped. Each must be found, by the
 * section that `seenBy` names, under the plan that the unmutated system passes.
 */
export const mutants: ReadonlyMap<string, Mutant> = new Map(
  [...clients, ...elections, ...replication, ...durability, ...members].map((mutant) => [mutant.name, mutant]),
);
