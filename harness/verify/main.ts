import { verifyFaults } from './faults.ts';
import { verifyReport } from './report.ts';
import { verifyStore } from './store.ts';
import { verifyTargets } from './targets.ts';

/** What `npm run verify -- NAME` can show: longer than a test, and looked at by a person. */
const verifications: { readonly [name: string]: (words: readonly string[]) => Promise<boolean> } = {
  faults: verifyFaults,
  /** Words: `--only KIND,…`, `--keep DIR`. */
  report: verifyReport,
  store: verifyStore,
  /** Words: only these targets. */
  targets: verifyTargets,
};

const name = process.argv[2] ?? '';
const verification = verifications[name];
if (verification === undefined) {
  process.stderr.write(`verify: say what: ${Object.keys(verifications).join(', ')}\n`);
  process.exit(254);
}
process.exit((await verification(process.argv.slice(3))) ? 0 : 1);
