import { z } from 'zod';
import { readResults, readTest } from '../../results/store/read.ts';
import type { TestDescription } from '../../results/store/schema.ts';
import { type ReadMode, readModes } from '../../system/client/index.ts';
import { mutants } from '../mutants/catalog.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { simulatedKinds } from '../simulate/plan.ts';
import { signatureOf } from '../simulate/signature.ts';
import { workloads } from '../workload/index.ts';
import type { Workload } from '../workload/workload.ts';
import { UsageError } from './usage-error.ts';

/** What a failed run of either world was made of, as far as the simulator can do it, and what went wrong in it. */
export interface Likeness {
  readonly workload: Workload;
  readonly nodes: number;
  readonly faults: readonly string[];
  /** How its clients read, and whether they write in sessions; undefined: a run from before there was a choice. */
  readonly reads: ReadMode | undefined;
  readonly sessions: boolean | undefined;
  /** Kinds of fault that the simulator has not. */
  readonly without: readonly string[];
  readonly mutant: Mutant | undefined;
  /** `section:kind`, at least one. */
  readonly wanted: readonly string[];
}

const clients = z.object({
  reads: z.enum(readModes).optional(),
  sessions: z.union([z.boolean(), z.stringbool()]).optional(),
});

/**
 * Reads what to look for from a run folder.
 * @throws UsageError when nothing went wrong in it, or the simulator knows nothing like it
 */
export function likenessOf(folder: string): Likeness {
  const test = readTest(folder);
  const { target = 'kvstore', nemesis, mutant } = test.options;
  if (target !== 'kvstore') throw new UsageError(`${folder}: a run of ${target}; the simulator runs kvstore alone`);
  const workload = workloads.get(test.workload ?? '');
  if (workload === undefined) throw new UsageError(`${folder}: there is no workload ${test.workload} any more`);
  const wanted = signatureOf(readResults(folder));
  if (wanted.length === 0) throw new UsageError(`${folder}: nothing went wrong in it that could be looked for`);
  const kinds = Array.isArray(nemesis) ? nemesis.map(String) : [];
  return {
    workload,
    nodes: test.nodes.length,
    faults: kinds.filter((kind) => simulatedKinds.includes(kind)),
    without: kinds.filter((kind) => !simulatedKinds.includes(kind)),
    ...clientsOf(test.options),
    mutant: mutantOf(folder, mutant),
    wanted,
  };
}

/** A real run has told its target, a simulated one is told by its plan. */
function clientsOf(options: TestDescription['options']): Pick<Likeness, 'reads' | 'sessions'> {
  const { 'target-options': told, plan } = options;
  const words = typeof told === 'string' ? told.split(',').map((word) => word.split('=')) : [];
  const { reads, sessions } = clients.parse(plan ?? Object.fromEntries(words));
  return { reads, sessions };
}

function mutantOf(folder: string, name: TestDescription['options'][string] | undefined): Mutant | undefined {
  if (typeof name !== 'string') return undefined;
  const mutant = mutants.get(name);
  if (mutant === undefined) throw new UsageError(`${folder}: there is no mutant ${name} any more`);
  return mutant;
}
