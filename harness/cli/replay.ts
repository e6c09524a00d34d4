import type { Argv } from 'yargs';
import type { Results } from '../../checker/verdict.ts';
import { findRun, readResults, readTest } from '../../results/store/read.ts';
import { signatureOf } from '../simulate/signature.ts';
import { simulate } from '../simulate/simulation.ts';
import { loadSystem } from '../simulate/system-module.ts';
import { exitCodes } from './exit.ts';
import { integer, runsRoot, text } from './flags.ts';
import { interruptible } from './interruptible.ts';
import { repeatReal } from './repeat-real.ts';
import { readSimulated } from './simulated-run.ts';
import { UsageError } from './usage-error.ts';

function flags(yargs: Argv) {
  return yargs
    .positional('run', {
      describe: 'A run folder, a test (its latest run), or latest',
      default: 'latest',
      type: 'string',
      coerce: text('run'),
    })
    .option('times', {
      alias: 'n',
      describe: 'How often to repeat a run of real processes',
      default: '1',
      type: 'string',
      requiresArg: true,
      coerce: integer('times', 1, 10_000),
    })
    .option('results', runsRoot)
    .option('json', { describe: 'Print the outcome as JSON', type: 'boolean', default: false });
}

type Flags = Awaited<ReturnType<typeof flags>['argv']>;

export const replayCommand = {
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 replay', 'the latest run')
      .example('$0 replay local-read -n 20', 'how often its anomaly comes back'),
  handler: (given: Flags) => {
    const folder = findRun(given.results, given.run);
    if (readTest(folder).world !== 'simulated') return replayReal(folder, given);
    if (given.times > 1)
      throw new UsageError('--times is for runs of real processes; a simulated one is always the same');
    return replaySimulated(folder, given);
  },
};

/** Exit code 0 when the events were the same, 1, with one line, when not. */
async function replaySimulated(folder: string, { json }: Flags): Promise<number> {
  const { plan, systemFolder, eventHash, codeDiffers } = readSimulated(folder);
  const again = await simulate(plan, await loadSystem(systemFolder));
  const identical = again.eventHash === eventHash;
  const found = signatureOf(again.results);
  const why = codeDiffers ?? 'the code is that of the run: the simulator is not deterministic';
  if (json) {
    const facts = { folder, identical, eventHash, again: again.eventHash, valid: again.results.valid, found };
    console.log(JSON.stringify(identical ? facts : { ...facts, why }));
  } else if (identical) {
    console.log(`identical  event hash ${eventHash}`);
    console.log(`${again.events} events, ${again.history.length} lines of history, ${told(again.results)}`);
  } else
    console.log(`DIFFERENT  event hash ${eventHash} then, ${again.eventHash} now (${told(again.results)}): ${why}`);
  return identical ? exitCodes.valid : exitCodes.invalid;
}

/** Exit code 1 when the anomaly came back, 0 when every repetition was valid, 2 when neither. */
async function replayReal(folder: string, given: Flags): Promise<number> {
  const wanted = signatureOf(readResults(folder));
  const { signal, release } = interruptible('ending the nodes; no further repetition');
  try {
    const repeated = await repeatReal({
      folder,
      root: given.results,
      times: given.times,
      wanted,
      signal,
      onRun(number, results) {
        if (!given.json) console.log(`${number} of ${given.times}: ${told(results)}`);
      },
    });
    const { runs, cameBack, best } = repeated;
    if (given.json) console.log(JSON.stringify({ folder, wanted, ...repeated }));
    else {
      const what = wanted.length === 0 ? 'an anomaly' : wanted.join(' or ');
      console.log(`${what} came ${wanted.length === 0 ? 'up' : 'back'} in ${cameBack} of ${runs} runs`);
      if (best !== undefined) console.log(`  the shortest: ${best}`);
    }
    if (cameBack > 0) return exitCodes.invalid;
    return repeated.valid === given.times ? exitCodes.valid : exitCodes.unknown;
  } finally {
    release();
  }
}

function told(results: Results): string {
  const found = signatureOf(results);
  if (found.length > 0) return `INVALID: ${found.join(', ')}`;
  return results.valid === true ? 'valid' : 'unknown';
}
