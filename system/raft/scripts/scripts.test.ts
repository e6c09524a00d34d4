import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { rewrite } from './datadriven.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const RAFT_SCRIPTS = join(process.env.SPLITBRAIN_SHARED ?? join(ROOT, '../shared'), 'raft');
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
/** Children must not inherit the test runner's loaders. */
const ENVIRONMENT = { ...process.env, NODE_OPTIONS: '' };

for (const suite of ['interaction', 'quorum', 'confchange']) {
  const scripts = join(RAFT_SCRIPTS, suite);
  const skip = existsSync(scripts) ? false : `no scripts at ${scripts}; SPLITBRAIN_SHARED names the folder above raft/`;
  t.test(`etcd-io/raft's ${suite} scripts say of our core what they say of theirs`, { skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'raft-scripts-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const stripped = join(folder, 'in');
    mkdirSync(stripped);
    for (const file of readdirSync(scripts)) {
      writeFileSync(
        join(stripped, file),
        rewrite(readFileSync(join(scripts, file), 'utf8'), () => ''),
      );
    }
    const printed = join(folder, 'out');
    execFileSync(process.execPath, [MAIN, suite, stripped, printed], { env: ENVIRONMENT });
    const compare = [join(RAFT_SCRIPTS, 'compare.mjs'), scripts, printed];
    const verdict = spawnSync(process.execPath, compare, { env: ENVIRONMENT, encoding: 'utf8' });
    t.equal(verdict.status, 0, verdict.stdout.trim());
  });
}

t.test('the script runner', async (t) => {
  t.test('prints a script again with what was said, and never looks at what stood there', async (t) => {
    const text = '# why\nadd  a=(1, 2) b=x \\\n c\ninput\n----\nold\n\nsecond\n----\n----\nold\n\nold\n----\n----\n';
    const seen: unknown[] = [];
    const printed = rewrite(text, (directive) => {
      seen.push(directive);
      return directive.command === 'add' ? 'one\ntwo' : 'with\n\na gap';
    });
    t.same(seen, [
      {
        command: 'add',
        args: [
          { key: 'a', values: ['1', '2'] },
          { key: 'b', values: ['x'] },
          { key: 'c', values: [] },
        ],
        input: ['input'],
      },
      { command: 'second', args: [], input: [] },
    ]);
    t.equal(
      printed,
      '# why\nadd  a=(1, 2) b=x \\\n c\ninput\n----\none\ntwo\n\nsecond\n----\n----\nwith\n\na gap\n----\n----\n',
    );
  });

  t.test('refuses wrong arguments in one line', async (t) => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'no-such-suite'], {
      env: ENVIRONMENT,
      encoding: 'utf8',
    });
    t.equal(status, 254);
    t.match(stderr, /^usage: .*\n$/);
  });
});
