import { chownSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { ownSharedMemory } from '../../cluster/faked-clock.ts';
import { ProcessWorld } from '../process-world.ts';
import { findProgram, ProgramMissing } from '../program.ts';
import { nodeNames, type SetUp, type System, type Target } from '../target.ts';
import { postgresClient, postgresWorkloads, tablesOf } from './client.ts';
import { Session } from './session.ts';

const debianFolder = '/usr/lib/postgresql';
const user = 'splitbrain';
/** Whom the server runs as where the harness is root, which the server refuses. */
const serverAccount = 'postgres';
const setUpTimeoutMs = 20_000;
/** initdb makes about a thousand files, and starts a server by itself several times. */
const initTimeoutMs = 120_000;
const statusTimeoutMs = 1000;
/** Beside a connection a thread: those that the server has not yet seen end. */
const connectionsMax = 500;

/** PostgreSQL 14 or later on one node, as Debian's postgresql has it: its isolation levels are what is tried. */
export const postgres: Target = {
  name: 'postgres',
  workloads: postgresWorkloads,
  audited: false,
  faults: ['pause', 'kill', 'clock', 'disk-slow', 'disk-hung'],
  nodes: { default: 1, most: 1 },
  options: {
    isolation: {
      about: "postgres' transactions have this isolation",
      values: ['read-committed', 'repeatable-read', 'serializable'],
      default: 'serializable',
    },
  },
  async setUp(options: SetUp): Promise<System> {
    const programs = newestPrograms();
    const initdb = findProgram('initdb', 'postgresql', programs);
    const program = findProgram('postgres', 'postgresql', programs);
    const nodes = nodeNames(1);
    const [node = ''] = nodes;
    const world = await ProcessWorld.create({
      setUp: options,
      nodes,
      primaries: async () => ((await answers()) ? nodes : []),
    });
    const port = await world.port();
    const open = (timeoutMs: number) => Session.open({ host: world.address(node), port, user, timeoutMs });
    const answers = async (): Promise<boolean> => {
      const session = await open(statusTimeoutMs).catch(() => undefined);
      const rows = await session?.run('select 1').catch(() => undefined);
      session?.close();
      return rows !== undefined;
    };
    try {
      // Below the system's temporary folder: the server's account cannot go everywhere that the harness can.
      const folder = world.reaper.temporaryFolder('postgres');
      const as = asServerAccount(folder);
      const own = process.getuid?.() === 0 ? ownSharedMemory : [];
      const data = join(folder, 'data');
      const words = [...as, initdb, '-D', data, '-U', user, '--auth=trust', '--encoding=UTF8', '--no-locale'];
      await runOnce(words, world.reaper.environment);
      const wallMs = async (): Promise<number | undefined> => {
        const session = await open(statusTimeoutMs);
        try {
          const { rows } = await session.run('select extract(epoch from clock_timestamp()) * 1000 as ms');
          return Number(z.array(z.object({ ms: z.coerce.number() })).parse(rows)[0]?.ms);
        } finally {
          session.close();
        }
      };
      const variables = Object.entries(world.bendable(node, wallMs)).map(([name, value]) => `${name}=${value}`);
      const [command = program, ...more] = [...own, ...as, 'env', ...variables, program];
      const settings = [
        `max_connections=${connectionsMax}`,
        'listen_addresses=127.0.0.1',
        `port=${port}`,
        // Transactions that wait for each other, as those of a few keys often do, would wait for a second.
        'deadlock_timeout=50ms',
        // In the data folder, where nothing is left of it.
        'dynamic_shared_memory_type=mmap',
        // After a kill, the whole file system at once: file by file takes seconds.
        'recovery_init_sync_method=syncfs',
      ];
      world.add(node, {
        name: 'postgres',
        command,
        arguments: [...more, '-D', data, '-k', folder, ...settings.flatMap((setting) => ['-c', setting])],
        folder,
        // A failed sync ends it only to begin again by itself, which no fault here is about.
        endsOnFailedSync: () => false,
        ready: answers,
      });
      await world.startAll();
      const session = await open(setUpTimeoutMs);
      for (const statement of tablesOf(options.workload)) await session.run(statement);
      session.close();
    } catch (error) {
      await world.stop();
      throw error;
    }
    const isolation = (options.options.isolation ?? '').replace('-', ' ');
    return {
      nodes,
      world,
      mechanisms: world.mechanisms,
      address: () => `postgresql://${user}@127.0.0.1:${port}/postgres`,
      client: () => postgresClient(() => open(options.opTimeoutMs), options.workload, isolation),
      status: async () => ((await answers()) ? [{ node, leader: true, term: 0, applied: 0, hash: '' }] : []),
      tearDown: () => world.stop(),
    };
  },
};

/** Debian keeps each version's programs in a folder of their own, off PATH. */
function newestPrograms(): readonly string[] {
  try {
    const versions = readdirSync(debianFolder).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(debianFolder, version, 'bin'));
  } catch {
    return [];
  }
}

/** What stands before a command to run it as the server's account, whose folder that becomes; nothing unless root. */
function asServerAccount(folder: string): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${serverAccount}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new ProgramMissing(`there is no account ${serverAccount}`);
  chownSync(folder, Number(uid), Number(gid));
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'];
}

async function runOnce([command = '', ...words]: readonly string[], environment: Readonly<Record<string, string>>) {
  const { failed, timedOut, stderr } = await execa(command, words, {
    env: { PATH: process.env.PATH, ...environment },
    extendEnv: false,
    reject: false,
    timeout: initTimeoutMs,
  });
  const program = words.find((word) => word.endsWith('initdb'));
  if (timedOut) throw new Error(`${program} did not end within ${initTimeoutMs} ms`);
  if (failed) throw new Error(`${program} failed: ${stderr.split('\n')[0]}`);
}
