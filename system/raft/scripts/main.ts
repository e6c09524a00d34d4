import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfChangeScript } from './confchange-script.ts';
import { type Directive, rewrite } from './datadriven.ts';
import { InteractionScript } from './interaction-script.ts';
import { runQuorumDirective } from './quorum-script.ts';

/** For each suite: what runs the directives of one script, in order. */
const SUITES: ReadonlyMap<string, () => (directive: Directive) => string> = new Map([
  [
    'interaction',
    () => {
      const script = new InteractionScript();
      return (directive: Directive) => script.run(directive);
    },
  ],
  [
    'confchange',
    () => {
      const script = new ConfChangeScript();
      return (directive: Directive) => script.run(directive);
    },
  ],
  ['quorum', () => runQuorumDirective],
]);

const [suite, inDirectory, outDirectory] = process.argv.slice(2);
const start = SUITES.get(suite ?? '');
if (start === undefined || inDirectory === undefined || outDirectory === undefined) {
  process.stderr.write(`usage: raft-scripts ${[...SUITES.keys()].join('|')} IN_DIR OUT_DIR\n`);
  process.exitCode = 254;
} else {
  mkdirSync(outDirectory, { recursive: true });
  for (const file of readdirSync(inDirectory).filter((name) => name.endsWith('.txt'))) {
    const run = start();
    // One directive that breaks an invariant fails alone: the others are still worth comparing.
    const guarded = (directive: Directive) => {
      try {
        return run(directive);
      } catch (error) {
        return `panic: ${error instanceof Error ? error.message : String(error)}`;
      }
    };
    writeFileSync(join(outDirectory, file), rewrite(readFileSync(join(inDirectory, file), 'utf8'), guarded));
  }
}
