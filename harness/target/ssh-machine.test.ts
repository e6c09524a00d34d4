import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { freePort } from '../cluster/client-ports.ts';
import { startReaper } from '../cluster/reaper.ts';
import { findProgram } from './program.ts';
import { SshMachine } from './ssh-machine.ts';

const main = join(import.meta.dirname, '../cli/main.js');

/** A real sshd on the loopback, with keys of its own; the names `n1` to `n3` lead to it. */
async function sshd(t: Test): Promise<string | undefined> {
  const folder = t.testdir();
  let program: string;
  try {
    program = findProgram('sshd', 'openssh-server', ['/usr/sbin']);
    findProgram('ssh', 'openssh-client');
  } catch (error) {
    t.comment(`skipped: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true }); // Where it is told to leave its privileges.
  for (const key of ['host', 'user']) {
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)]);
  }
  const port = await freePort(new Set());
  const server = [`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${folder}/host`, 'StrictModes no', 'UsePAM no'];
  const more = [`AuthorizedKeysFile ${folder}/user.pub`, 'PidFile none', 'MaxStartups 100', 'MaxSessions 100'];
  writeFileSync(join(folder, 'sshd_config'), `${[...server, ...more].join('\n')}\n`);
  const client = ['HostName 127.0.0.1', `Port ${port}`, `IdentityFile ${folder}/user`, 'IdentitiesOnly yes'];
  const trust = ['StrictHostKeyChecking no', 'UserKnownHostsFile /dev/null', 'LogLevel ERROR'];
  const config = join(folder, 'config');
  writeFileSync(config, `Host n1 n2 n3\n${[...client, ...trust].map((line) => `  ${line}\n`).join('')}`);
  const child = execa(program, ['-D', '-e', '-f', join(folder, 'sshd_config')], { reject: false });
  t.teardown(async () => {
    child.kill();
    await child;
  });
  for (let tries = 0; tries < 100; tries++) {
    if ((await execa('ssh', ['-F', config, 'n1', 'true'], { reject: false })).exitCode === 0) return config;
    await delay(100);
  }
  t.comment('skipped: sshd does not serve here');
  return undefined;
}

t.test('another computer over SSH', async (t) => {
  const config = await sshd(t);
  if (config === undefined) return;
  const there = async (folder: string) => (await execa('sh', ['-c', `ls -d ${folder} 2>/dev/null || true`])).stdout;

  await t.test('a server is signalled with all of its processes', async (t) => {
    const reaper = await startReaper();
    const machine = await SshMachine.reach('n1', { hosts: ['n1'], config }, reaper);
    t.equal(machine.address, '127.0.0.1');
    const path = await machine.write("it's", 'some text\n');
    const words = machine.command('family', ['bash', '-c', `sleep 1000 & echo "$WORD"; cat "${path}"; wait`], {
      WORD: 'a word',
    });
    const [command, ...rest] = words;
    const server = execa(command, rest, { reject: false });
    let said = '';
    server.stdout.on('data', (chunk) => {
      said += chunk;
    });
    while (!said.endsWith('text\n')) await once(server.stdout, 'data');
    t.equal(said, 'a word\nsome text\n');
    const pids = await machine.signal('family', 0, 'SIGSTOP');
    t.match(await machine.untilStates('family', pids, 'stopped', 5000), { reached: true, states: 'TT' });
    t.match(await machine.untilStates('family', pids, 'running', 100), { reached: false });
    await machine.signal('family', 0, 'SIGCONT');
    t.match(await machine.untilStates('family', pids, 'running', 5000), { reached: true });
    await machine.close();
    t.match(await machine.untilStates('family', pids, 'gone', 5000), { reached: true }, 'ended with the connection');
    t.equal(await there(machine.folder), '');
    await server;
    await reaper.close();
  });

  await t.test('a computer that cannot be reached is told in one line', async (t) => {
    const reaper = await startReaper();
    const unreachable = SshMachine.reach('no-such-host.invalid', { hosts: [], config }, reaper);
    await t.rejects(unreachable, /no-such-host\.invalid cannot be used over SSH: /);
    await reaper.close();
  });

  await t.test('etcd on three of them', async (t) => {
    const results = t.testdir();
    const hosts = ['--ssh', 'n1,n2,n3', '--ssh-config', config, '--results', results];
    const faults = ['--nemesis', 'kill', '--nemesis-interval', '3s', '--time-limit', '7', '--seed', '3'];
    const words = [main, 'test', '--target', 'etcd', '--json', ...hosts, ...faults];
    const { stdout, stderr } = await execa('node', words, { reject: false, env: { NODE_OPTIONS: '' } });
    if (/did not serve|ended before it served/.test(stderr) && (await there('/usr/bin/etcd')) === '') {
      return t.comment('skipped: etcd is not on this machine');
    }
    t.match(stdout, /^\{/, 'it came to a verdict', { stderr });
    const { valid, sections } = JSON.parse(stdout) as { valid: unknown; sections: Record<string, unknown> };
    t.equal(valid, true, `is valid: ${JSON.stringify(sections.faults)}`);
  });
});
