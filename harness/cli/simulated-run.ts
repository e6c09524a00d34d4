import { z } from 'zod';
import { readTest } from '../../results/store/read.ts';
import { mutants } from '../mutants/catalog.ts';
import { plant } from '../mutants/plant.ts';
import { codeVersion } from '../simulate/code-version.ts';
import type { SimulationPlan } from '../simulate/plan.ts';
import { parsePlan } from '../simulate/plan-schema.ts';
import { ownSystem } from '../simulate/system-module.ts';
import { UsageError } from './usage-error.ts';

export interface SimulatedRun {
  readonly plan: SimulationPlan;
  readonly mutant: string | undefined;
  /** The compiled system, with the planted bug where the run had one. */
  readonly systemFolder: string;
  readonly eventHash: string;
  /** A line for the user when this is not the code that the run was made with. */
  readonly codeDiffers: string | undefined;
}

const options = z.object({ plan: z.unknown(), mutant: z.string().nullable(), eventHash: z.string() });

/**
 * What it takes to simulate a kept run again.
 * @throws UsageError when the folder is not a simulated run's, or of a version that wrote other things
 */
export function readSimulated(folder: string): SimulatedRun {
  const test = readTest(folder);
  if (test.world !== 'simulated') throw new UsageError(`${folder}: not a simulated run, but ${test.world}`);
  try {
    const { plan, mutant: name, eventHash } = options.parse(test.options);
    const mutant = name === null ? undefined : mutants.get(name);
    if (name !== null && mutant === undefined) throw new UsageError(`${folder}: there is no mutant ${name} any more`);
    const now = codeVersion();
    const then = test.versions.code ?? 'unknown';
    return {
      plan: parsePlan(plan),
      mutant: mutant?.name,
      systemFolder: mutant === undefined ? ownSystem : plant(mutant),
      eventHash,
      codeDiffers:
        now === then
          ? undefined
          : `the code is not that of the run (${then}, now ${now}): other events are to be expected`,
    };
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const [issue] = error.issues;
    throw new UsageError(`${folder}/test.json: options.${issue?.path.join('.')}: ${issue?.message}`);
  }
}
