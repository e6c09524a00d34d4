import { release } from 'node:os';
import { basename, join } from 'node:path';
import yargs from 'yargs';
import { z } from 'zod';
import { mergeSections, type Results } from '../../checker/verdict.ts';
import { files } from '../../results/store/layout.ts';
import { readTest } from '../../results/store/read.ts';
import { createRun } from '../../results/store/write.ts';
import { readHistory } from '../check/read-history.ts';
import { version } from '../version.ts';
import { flagWords, type ModelFlags, modelFlags, modelOf } from './model-flags.ts';
import { command } from './run-commands.ts';
import { UsageError } from './usage-error.ts';

/** How a history was judged, as its run's `test.json` keeps it: the words that `check` would be given. */
const judgement = z.object({ model: z.string(), 'model-options': z.array(z.string()) });

/** Judges a history file and keeps it as a run folder of its own, so that it has a report as any other run has. */
export async function keepHistoryRun(
  path: string,
  given: ModelFlags,
  root: string,
): Promise<{ readonly folder: string; readonly results: Results; readonly warnings: readonly string[] }> {
  const { name, model, options: asked } = modelOf(given);
  const { format, events, warnings } = await readHistory(path);
  const options = { ...model.defaults?.(format), ...asked };
  const results = mergeSections({ [model.section]: await model.check(events, options) });
  const words = ['--model', name, ...flagWords(options)];
  const description = {
    name: basename(path)
      .replace(/\.gz$/, '')
      .replace(/\.[a-z]+$/, ''),
    seed: 'none',
    started: new Date().toISOString(),
    world: 'history',
    nodes: [],
    options: { file: path, format, model: name, 'model-options': flagWords(options) },
    versions: { splitbrain: version, node: process.versions.node, kernel: release() },
    mechanisms: {},
    notChecked: warnings.map((warning) => `${basename(path)}: ${warning}`),
  } as const;
  const run = createRun(root, { ...description, commands: {} });
  const { folder } = run;
  const kept = join(folder, files.history);
  run.writeTest({
    ...description,
    commands: {
      check: command('check', kept, ...words),
      ...(results.valid === false && { shrink: command('shrink', kept, ...words) }),
    },
  });
  for (const op of events.ops()) run.history.append(op);
  run.writeResults(results);
  run.close();
  return { folder, results, warnings };
}

/** Judges a kept history again from its folder alone. */
export async function judgeHistoryRun(folder: string): Promise<Results> {
  const parsed = judgement.safeParse(readTest(folder).options);
  if (!parsed.success) throw new UsageError(`${join(folder, files.test)}: does not say as what its history was judged`);
  const words = ['--model', parsed.data.model, ...parsed.data['model-options']];
  const { model, options } = modelOf(modelFlags(yargs(words)).strict().exitProcess(false).parseSync());
  const { events } = await readHistory(join(folder, files.history));
  return mergeSections({ [model.section]: await model.check(events, options) });
}
