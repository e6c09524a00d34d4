import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { freePort } from '../cluster/client-ports.ts';
import type { Reaper } from '../cluster/reaper.ts';
import { type StoreProcess, startProcess } from './store-process.ts';

/** A three-node cluster that is measured. */
export interface Store {
  readonly name: 'splitbrain' | 'etcd';
  readonly processes: readonly StoreProcess[];
  /** Where each node serves clients. */
  readonly urls: readonly string[];
  /** Which of the nodes leads. @throws when none does in time */
  leader(): Promise<number>;
  /** Syncs of its log that each node counts since its start. */
  syncs(): Promise<readonly number[]>;
  /** A linearizable read. @returns undefined when the key is not there */
  get(node: number, key: string): Promise<string | undefined>;
  put(node: number, key: string, value: string): Promise<void>;
  stop(): Promise<void>;
}

const nodes = 3;
const leaderTimeoutMs = 20_000;
const askTimeoutMs = 2000;
const restartTimeoutMs = 60_000;
const mainPath = fileURLToPath(new URL('../../system/main.js', import.meta.url));

/** Ours, of which more can be asked. */
export interface Splitbrain extends Store {
  /** `data-N/` and `node-N.log` of each node, from 1, lie here. */
  readonly folder: string;
  /** Stops a node and starts it on what it left on its disk. @returns milliseconds until its first linearizable read */
  restart(node: number): Promise<{ readonly wallMs: number; readonly cpuMs: number }>;
}

/** @param nodeFlags further ones for Node.js, of every process */
export async function startSplitbrain(
  reaper: Reaper,
  folder: string,
  nodeFlags: readonly string[] = [],
): Promise<Splitbrain> {
  const peers = await freePorts();
  const clients = await freePorts(peers);
  const cluster = peers.map(urlOf).join(',');
  const urls = clients.map(urlOf);
  mkdirSync(folder, { recursive: true });
  const start = (port: number, at: number): StoreProcess => {
    const places = ['--id', String(at + 1), '--cluster', cluster, '--port', String(port)];
    const data = ['--data-dir', join(folder, `data-${at + 1}`), '--log-level', 'warn'];
    const log = join(folder, `node-${at + 1}.log`);
    return startProcess(reaper, process.execPath, [...nodeFlags, mainPath, ...places, ...data], log);
  };
  const processes = clients.map(start);
  return {
    name: 'splitbrain',
    folder,
    processes,
    urls,
    async restart(node) {
      await processes[node]!.stop();
      const startedAt = performance.now();
      processes[node] = start(clients[node]!, node);
      const answers = () =>
        fetch(`${urls[node]}/v1/kv/restarted`, { signal: AbortSignal.timeout(askTimeoutMs) }).then(
          // There is no such key: that is an answer, too.
          ({ status }) => status === 404,
          () => false,
        );
      while (!(await answers())) {
        if (performance.now() - startedAt > restartTimeoutMs) throw new Error(`node ${node + 1} does not come back`);
        await delay(10);
      }
      return { wallMs: performance.now() - startedAt, cpuMs: processes[node]!.cpuMs() };
    },
    leader: () => findLeader(urls, async (url) => status.parse(await json(`${url}/v1/status`)).role === 'leader'),
    syncs: () => Promise.all(urls.map((url) => counter(url, 'splitbrain_log_batches_total'))),
    async get(node, key) {
      const answer = await fetch(`${urls[node]}/v1/kv/${key}`);
      if (answer.status === 404) return undefined;
      return (await accepted(answer)).text();
    },
    async put(node, key, value) {
      await accepted(await fetch(`${urls[node]}/v1/kv/${key}`, { method: 'PUT', body: value }));
    },
    stop: () => stopAll(processes),
  };
}

/** etcd as Debian installs it, with its own defaults but a quota of the data that the run cannot reach. */
export async function startEtcd(reaper: Reaper, folder: string): Promise<Store> {
  const peers = await freePorts();
  const clients = await freePorts(peers);
  const cluster = peers.map((port, at) => `n${at + 1}=${urlOf(port)}`).join(',');
  const urls = clients.map(urlOf);
  mkdirSync(folder, { recursive: true });
  const processes = clients.map((port, at) => {
    const [client, peer] = [urlOf(port), urlOf(peers[at]!)];
    return startProcess(
      reaper,
      'etcd',
      [
        ...['--name', `n${at + 1}`, '--data-dir', join(folder, `data-${at + 1}`)],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...['--initial-cluster', cluster, '--initial-cluster-state', 'new', '--initial-cluster-token', folder],
        ...['--quota-backend-bytes', String(8 * 1024 ** 3), '--logger', 'zap', '--log-level', 'error'],
      ],
      join(folder, `node-${at + 1}.log`),
    );
  });
  return {
    name: 'etcd',
    processes,
    urls,
    leader: () =>
      findLeader(urls, async (url) => {
        const { header, leader } = etcdStatus.parse(await json(`${url}/v3/maintenance/status`, {}));
        return leader === header.member_id;
      }),
    syncs: () => Promise.all(urls.map((url) => counter(url, 'etcd_disk_wal_fsync_duration_seconds_count'))),
    async get(node, key) {
      const { kvs } = etcdRange.parse(await json(`${urls[node]}/v3/kv/range`, { key: btoa(key) }));
      return kvs?.[0] === undefined ? undefined : atob(kvs[0].value);
    },
    async put(node, key, value) {
      await json(`${urls[node]}/v3/kv/put`, { key: btoa(key), value: btoa(value) });
    },
    stop: () => stopAll(processes),
  };
}

const status = z.object({ role: z.string() });
const etcdStatus = z.object({ header: z.object({ member_id: z.string() }), leader: z.string().optional() });
const etcdRange = z.object({ kvs: z.array(z.object({ value: z.string() })).optional() });

/**
 * One series of a node's metrics, in Prometheus' text format.
 * @param series the name, with its labels where it has some
 */
export async function counter(url: string, series: string): Promise<number> {
  const text = await (await accepted(await fetch(`${url}/metrics`))).text();
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

async function json(url: string, body?: unknown): Promise<unknown> {
  const signal = AbortSignal.timeout(askTimeoutMs);
  const asked = fetch(url, body === undefined ? { signal } : { method: 'POST', body: JSON.stringify(body), signal });
  return (await accepted(await asked)).json();
}

async function accepted(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  throw new Error(`${answer.url} answered ${answer.status}: ${await answer.text()}`);
}

async function findLeader(urls: readonly string[], leads: (url: string) => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < leaderTimeoutMs) {
    const answers = await Promise.all(urls.map((url) => leads(url).catch(() => false)));
    const at = answers.indexOf(true);
    if (at >= 0 && !answers.includes(true, at + 1)) return at;
    await delay(100);
  }
  throw new Error(`no leader among ${urls.join(', ')}`);
}

async function freePorts(others: readonly number[] = []): Promise<readonly number[]> {
  const taken = new Set(others);
  for (let at = 0; at < nodes; at++) taken.add(await freePort(taken));
  return [...taken].slice(others.length);
}

const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

async function stopAll(processes: readonly StoreProcess[]): Promise<void> {
  await Promise.all(processes.map((one) => one.stop()));
}
