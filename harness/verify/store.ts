import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import yargs from 'yargs';
import { z } from 'zod';
import { createHttpExchange, Client as StoreClient } from '../../system/client/index.ts';
import { type Cluster, startCluster } from '../cluster/cluster.ts';

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const nodeMain = fileURLToPath(new URL('../../system/main.js', import.meta.url));
const nodeCount = 3;
const clientCount = 8;
/** From one kill to the next, at most; most come far sooner, a tenth of them within a hundredth of it. */
const betweenKillsMs = 10_000;
/** How long a node stays down, at most. */
const downMs = 1000;
const opTimeoutMs = 2000;
const pauseMs = 20;
const appendsPerList = 100;
const settleMs = 60_000;
/** A part is over in five minutes, with all that comes before and after. */
const partMinutesMax = 4;

/**
 * `kill -9` of any node at any moment: no acknowledged write is lost, nothing is applied twice. First as every run is
 * judged, from the history and from the nodes' audit files; then by clients of their own kind, each of which sends the
 * same append in its session to one node after another until it knows how it ended, and counts in the end.
 * Both go on in parts, each with nodes and folders of its own, so that they may be run one by one.
 * @param words `--minutes N`: how long each of the two goes on, in all; `--only judged-1,counted-3,…`: these parts alone
 */
export async function verifyStore(words: readonly string[]): Promise<boolean> {
  const { minutes, only } = yargs([...words])
    .options({ minutes: { type: 'number', default: 10 }, only: { type: 'string' } })
    .strict()
    .parseSync();
  const count = Math.max(1, Math.ceil(minutes / partMinutesMax));
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const parts = new Map<string, { readonly run: typeof judgedRun; readonly number: number }>();
  for (const [kind, run] of [['judged', judgedRun] as const, ['counted', countedRun] as const]) {
    for (const number of numbers) parts.set(`${kind}-${number}`, { run, number });
  }
  const names = only?.split(',') ?? [...parts.keys()];
  let good = true;
  for (const name of names) {
    const part = parts.get(name);
    if (part === undefined) throw new Error(`no part ${name}: there are ${[...parts.keys()].join(', ')}`);
    const folder = mkdtempSync(join(tmpdir(), 'splitbrain-verify-'));
    const held = await part.run(folder, minutes / count, part.number);
    say(`${name}, ${(minutes / count).toFixed(1)} minutes: ${held ? 'held' : 'DID NOT HOLD'}`);
    if (held) rmSync(folder, { recursive: true, force: true });
    else say(`what the nodes left is kept in ${folder}`);
    good &&= held;
  }
  return good;
}

async function judgedRun(folder: string, minutes: number, seed: number): Promise<boolean> {
  const kills = ['--nemesis', 'kill', '--nemesis-interval', '1s', '--time-limit', `${Math.round(minutes * 60)}s`];
  const options = [
    '--workload',
    'append',
    '--nodes',
    String(nodeCount),
    '--seed',
    String(seed),
    '--results',
    join(folder, 'runs'),
  ];
  const { exitCode, stdout } = await execa(process.execPath, [program, 'test', ...options, ...kills], {
    reject: false,
    env: { NODE_OPTIONS: '' },
  });
  say(stdout.trim());
  return exitCode === 0;
}

/** What one client has to say of its appends. */
interface Tally {
  readonly acknowledged: Set<string>;
  readonly keys: Set<string>;
  retries: number;
}

async function countedRun(folder: string, minutes: number): Promise<boolean> {
  const cluster = await startCluster({
    nodes: nodeCount,
    folder,
    main: nodeMain,
    faults: ['kill'],
    random: (bound) => Math.floor(Math.random() * bound),
    now: () => Math.round(performance.now() * 1e6),
  });
  const { exchange, close } = createHttpExchange();
  try {
    const clients = cluster.nodes.map((node) => new StoreClient(cluster.address(node), exchange));
    const endMs = performance.now() + minutes * 60_000;
    const killing = killAtRandom(cluster, endMs);
    const tallies = await Promise.all(
      Array.from({ length: clientCount }, (_, number) => appendUntil(endMs, number, clients)),
    );
    const kills = await killing;
    const lists = await eachNodesLists(
      clients,
      tallies.flatMap((tally) => [...tally.keys]),
    );
    return judge(tallies, lists, kills);
  } finally {
    await close();
    await cluster.stop();
  }
}

/** Kills a node that runs, at random moments, and starts it again; there may be several down at a time. */
async function killAtRandom(cluster: Cluster, endMs: number): Promise<number> {
  const up = new Set(cluster.nodes);
  const restarts: Promise<void>[] = [];
  let kills = 0;
  while (performance.now() < endMs) {
    await delay(Math.random() ** 2 * betweenKillsMs);
    const node = [...up][Math.floor(Math.random() * up.size)];
    if (node === undefined) continue;
    up.delete(node);
    await cluster.kill(node);
    kills++;
    restarts.push(
      delay(Math.random() * downMs).then(async () => {
        await cluster.start(node);
        up.add(node);
      }),
    );
  }
  await Promise.all(restarts);
  return kills;
}

/** One append after another, each sent again until it is known how it ended, each time to the next node. */
async function appendUntil(endMs: number, number: number, clients: readonly StoreClient[]): Promise<Tally> {
  const tally: Tally = { acknowledged: new Set(), keys: new Set(), retries: 0 };
  const options = { timeoutMs: opTimeoutMs };
  let at = number;
  const next = async () => {
    at++;
    tally.retries++;
    await delay(pauseMs);
  };
  let session: string | undefined;
  while (session === undefined && performance.now() < endMs) {
    const opened = await clients[at % clients.length]!.openSession(options);
    if (opened.ok) session = opened.value.session;
    else await next();
  }
  if (session === undefined) return tally;
  for (let sequence = 1; performance.now() < endMs; sequence++) {
    const element = `${number}-${sequence}`;
    const key = `list-${number}-${Math.floor(sequence / appendsPerList)}`;
    tally.keys.add(key);
    while (performance.now() < endMs) {
      const client = clients[at % clients.length]!;
      const done = await client.append(key, element, { ...options, session: { id: session, sequence } });
      if (done.ok) {
        tally.acknowledged.add(element);
        break;
      }
      if (done.outcome === 'none' && done.status === 412) throw new Error(`${element}: ${done.message}`);
      await next();
    }
  }
  return tally;
}

/** Every element of every list, as each of the nodes reads it when all are back. */
async function eachNodesLists(
  clients: readonly StoreClient[],
  keys: readonly string[],
): Promise<readonly (readonly string[])[]> {
  const nodes: (readonly string[])[] = [];
  for (const client of clients) {
    const elements: string[] = [];
    for (const key of keys) elements.push(...(await listOf(client, key)));
    nodes.push(elements);
  }
  return nodes;
}

async function listOf(client: StoreClient, key: string): Promise<readonly string[]> {
  const untilMs = performance.now() + settleMs;
  for (;;) {
    const read = await client.get(key, { timeoutMs: opTimeoutMs });
    if (read.ok)
      return read.value === null
        ? []
        : z.array(z.string()).parse(JSON.parse(new TextDecoder().decode(read.value.value)));
    if (performance.now() > untilMs) throw new Error(`a node does not serve reads: ${read.message}`);
    await delay(pauseMs);
  }
}

function judge(tallies: readonly Tally[], nodes: readonly (readonly string[])[], kills: number): boolean {
  const acknowledged = tallies.flatMap((tally) => [...tally.acknowledged]);
  const retries = tallies.reduce((sum, tally) => sum + tally.retries, 0);
  let good = acknowledged.length > 0 && kills > 0;
  say(`${kills} kills; ${acknowledged.length} appends acknowledged, after ${retries} retries in sessions`);
  nodes.forEach((elements, at) => {
    const times = new Map<string, number>();
    for (const element of elements) times.set(element, (times.get(element) ?? 0) + 1);
    const lost = acknowledged.filter((element) => !times.has(element));
    const twice = [...times].filter(([, count]) => count > 1).map(([element]) => element);
    good &&= lost.length === 0 && twice.length === 0;
    say(
      `node ${at + 1}: ${elements.length} elements, ${lost.length} of the acknowledged ones lost ${some(lost)}, ` +
        `${twice.length} there twice ${some(twice)}`,
    );
  });
  return good;
}

function some(elements: readonly string[]): string {
  return elements.length === 0 ? '' : `(${elements.slice(0, 5).join(', ')})`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
