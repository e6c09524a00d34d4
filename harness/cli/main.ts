#!/usr/bin/env node
import { explain } from './exit.ts';
import { splitbrain } from './splitbrain.ts';

function fail(error: unknown): never {
  const { line, code } = explain(error);
  process.stderr.write(`splitbrain: ${line}\n`);
  if (process.env.SPLITBRAIN_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(code);
}

process.on('uncaughtException', fail);
// Whoever reads the output may have gone; the run folder has everything.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
splitbrain(process.argv.slice(2)).then((code) => process.exit(code), fail);
