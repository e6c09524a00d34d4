/**
 * Runs the compiled test files, two at a time: `npm test` all of them, `npm test -- checker cli.test` those whose path
 * has one of these words. Prints a line a file and what failed; with `--reporter=tap` prints TAP.
 *
 * `tap run` would do the same, but it loads a tracer (@tapjs/processinfo) into every test file and, as it puts
 * NODE_OPTIONS back where a test clears it, into every harness, node and reaper that a test starts, and theirs. What is
 * tested would not be what users run, and every process would take twice as long to start.
 */
import { readdirSync } from 'node:fs';
import { Writable } from 'node:stream';
import t from 'tap';

const timeoutS = 300;
/** Those that take longest come first, so that no core is idle at the end. */
const longest = [
  'results/report/browser',
  'harness/target/targets',
  'harness/cli/cli',
  'harness/cluster/disk-faults',
  'harness/cli/sim',
  'harness/cli/real-run',
  'harness/cluster/starvation',
  'harness/nightly/queue',
  'harness/cluster/',
  'harness/',
];
const rank = (file) => {
  const at = longest.findIndex((start) => file.startsWith(`dist/${start}`));
  return at < 0 ? longest.length : at;
};

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const asTap = process.argv.includes('--reporter=tap');
const files = readdirSync('dist', { recursive: true })
  .map((file) => `dist/${file}`)
  .filter((file) => file.endsWith('.test.js') && (words.length === 0 || words.some((word) => file.includes(word))))
  .sort((a, b) => rank(a) - rank(b));

const say = (line) => process.stderr.write(`${line}\n`);
if (files.length === 0) {
  say(`no test file has ${words.join(' or ')} in its path`);
  process.exit(1);
}
if (!asTap) {
  t.pipe(new Writable({ write: (_chunk, _encoding, done) => done() }));
  // Until each file was seen to pass.
  process.exitCode = 1;
}
let left = files.length;
const total = { passed: 0, failed: 0, files: 0 };
t.setTimeout(0);
t.jobs = 2;
for (const file of files) {
  // env takes out what tap puts in for whatever it spawns.
  const ended = t.spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, file], {
    name: file,
    buffered: true,
    timeout: timeoutS * 1000,
    env: { ...process.env, TAP_TIMEOUT: String(timeoutS) },
  });
  ended.then((results) => {
    if (asTap && results.count === 0) {
      say(`${file} asserted nothing`);
      process.exitCode = 1;
    }
    if (!asTap) tell(file, ended.subtest, results);
  });
}

function tell(file, { time, output }, results) {
  const { pass, count } = results;
  // A file that asserted nothing has shown nothing.
  const ok = results.ok && count > 0;
  say(`${ok ? 'ok    ' : 'FAILED'} ${file}  ${pass} of ${count}, ${Math.round(time / 1000)} s`);
  for (const [line] of output.matchAll(/^.*(?:# SKIP|# skipped: ).*$/gm)) say(`       ${line.trim()}`);
  if (!ok) say(output.trimEnd());
  total.passed += pass;
  // A file that crashed or took too long has failed, whatever it had counted.
  total.failed += ok ? 0 : Math.max(1, count - pass);
  total.files += ok ? 0 : 1;
  if (--left > 0) return;
  say(
    `${total.passed} assertions passed, ${total.failed} failed, in ${files.length} files, ${total.files} of them failed`,
  );
  process.exitCode = total.files === 0 ? 0 : 1;
}
