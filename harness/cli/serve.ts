import { existsSync } from 'node:fs';
import type { Argv } from 'yargs';
import { startServer } from '../../results/serve/server.ts';
import { defaultNightsRoot } from '../../results/store/layout.ts';
import { exitCodes } from './exit.ts';
import { integer, runsRoot, text } from './flags.ts';
import { UsageError } from './usage-error.ts';

function flags(yargs: Argv) {
  return yargs
    .option('results', runsRoot)
    .option('nights', {
      describe: 'Where nights are, each with its runs; there need not be any',
      default: defaultNightsRoot,
      type: 'string',
      requiresArg: true,
      coerce: text('nights'),
    })
    .option('host', {
      describe: 'The address to listen on; the default lets nobody else see it',
      default: '127.0.0.1',
      type: 'string',
      requiresArg: true,
      coerce: text('host'),
    })
    .option('port', {
      describe: 'Its port; 0 for any free one',
      default: 8420,
      requiresArg: true,
      coerce: integer('port', 0, 65_535),
    });
}

export const serveCommand = {
  builder: flags,
  handler: serve,
};

/** Serves until it is interrupted. */
async function serve({
  results: root,
  nights,
  host,
  port,
}: Awaited<ReturnType<typeof flags>['argv']>): Promise<number> {
  if (!existsSync(root)) throw new UsageError(`--results ${root}: there is no such folder`);
  const served = await startServer({ root, nightsRoot: existsSync(nights) ? nights : undefined, host, port });
  console.log(`${served.url}  (Ctrl-C ends it)`);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await served.close();
  return exitCodes.valid;
}
