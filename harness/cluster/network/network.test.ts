import { readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import type { NodeId } from '../../../nemesis/world.ts';
import { processStat } from '../proc.ts';
import { startReaper } from '../reaper.ts';
import { createNetwork, type Network } from './network.ts';

/** Says which node it is to whoever connects, and dials another when told. */
const host = (node: NodeId, address: string): string => `
  import net from 'node:net';
  net.createServer((socket) => socket.on('error', () => {}).on('data', (data) => {
    const [to] = String(data).trim().split(' ');
    if (to === 'who') return socket.end('${node}');
    const other = net.connect({ host: to, port: 7000, timeout: 300 }, () => other.write('who'));
    other.on('timeout', () => other.destroy(new Error('timeout')));
    other.on('error', (error) => socket.end(error.message));
    other.on('data', (answer) => socket.end(answer));
  })).listen(7000, '${address}', () => console.log('listening'));`;

async function networkOf(t: Test, nodes: readonly NodeId[], privileged: boolean): Promise<Network | undefined> {
  const reaper = await startReaper();
  try {
    const network = await createNetwork(nodes, reaper, privileged);
    t.teardown(async () => {
      await network.close();
      await reaper.close();
    });
    for (const node of nodes) {
      const [file, ...words] = network.command(node, [
        process.execPath,
        '--input-type=module',
        '-e',
        host(node, network.address(node)),
      ]);
      const child = execa(file, words, { reject: false, env: { NODE_OPTIONS: '', ...reaper.environment } });
      t.teardown(() => child.kill('SIGKILL'));
      for await (const line of createInterface({ input: child.stdout })) if (line === 'listening') break;
    }
    return network;
  } catch (error) {
    await reaper.close();
    t.comment(`skipped: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

async function ask(network: Network, node: NodeId, text: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: await network.forward(node, 7000) });
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

t.test('nodes reach each other, and clients reach them, until links are cut', async (t) => {
  for (const privileged of [true, false]) {
    await t.test(privileged ? 'as root' : 'as an ordinary user', async (t) => {
      const network = await networkOf(t, ['a', 'b', 'c'], privileged);
      if (network !== undefined) await breakAndHeal(t, network);
    });
  }
});

async function breakAndHeal(t: Test, network: Network): Promise<void> {
  const hears = async (from: NodeId, to: NodeId): Promise<boolean> =>
    (await ask(network, from, `${network.address(to)} `)) === to;
  t.equal(await ask(network, 'a', 'who'), 'a');
  t.ok((await hears('a', 'b')) && (await hears('b', 'c')) && (await hears('c', 'a')));

  const cut = await network.cut([
    { from: 'a', to: 'b' },
    { from: 'b', to: 'a' },
  ]);
  t.match(cut, { effect: 'proven', mechanism: 'namespaces', proof: { linksCut: 2, packetsPassedOnCutLinks: 0 } });
  t.notOk(await hears('a', 'b'));
  t.notOk(await hears('b', 'a'));
  t.ok(await hears('a', 'c'));
  t.ok(await hears('c', 'b'));
  t.equal(await ask(network, 'b', 'who'), 'b', 'clients are not cut off');

  t.match(await network.cut([{ from: 'c', to: 'a' }]), { effect: 'proven', proof: { linksCut: 1, linksHealed: 2 } });
  t.ok(await hears('a', 'b'));
  t.notOk(await hears('a', 'c'), 'its answers do not come back');
  t.match(await network.cut([]), { effect: 'proven', proof: { linksCut: 0, linksHealed: 1 } });
  t.ok(await hears('a', 'c'));
  t.match(await network.cut([]), { effect: 'moot' });

  const all = ['a', 'b', 'c'].flatMap((from) =>
    ['a', 'b', 'c'].filter((to) => to !== from).map((to) => ({ from, to })),
  );
  const lossy = await network.lose(all, 50);
  t.match(lossy, { effect: 'proven', proof: { links: 6, lossPercent: 50 } });
  t.ok(Number(lossy.proof.packetsLost) > 0);
  t.match(await network.lose([], 0), { effect: 'proven', proof: { links: 0, packetsLost: 0 } });

  const tookMs = async (): Promise<number> => {
    const begun = performance.now();
    await hears('a', 'b');
    return performance.now() - begun;
  };
  t.match(await network.slow(['a'], 4000), { effect: 'proven', mechanism: 'tc-tbf', proof: { nodes: 'a' } });
  t.ok((await tookMs()) > 20, 'packets of a connection’s beginning at four a hundred milliseconds');
  t.match(await network.slow(['b'], 1e9), { effect: 'ineffective' }, 'a rate that holds nothing back');
  t.match(await network.slow([], 0), { effect: 'proven', proof: { ended: 'b' } });
  t.match(await network.slow([], 0), { effect: 'moot' });
}

t.test('nothing is left when the harness is killed', async (t) => {
  const module = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  const source = `
    import { startReaper } from ${module('../reaper.js')};
    import { createNetwork } from ${module('network.js')};
    const network = await createNetwork(['a', 'b'], await startReaper()).catch(({ message }) => message);
    if (typeof network === 'string') { console.log(network); process.exit(); }
    await network.cut([{ from: 'a', to: 'b' }]);
    await network.slow(['a'], 4000);
    console.log('cut');
    setInterval(() => {}, 1000);`;
  const child = execa(process.execPath, ['--input-type=module', '-e', source], {
    reject: false,
    buffer: false,
    env: { NODE_OPTIONS: '' },
  });
  let line = '';
  for await (line of createInterface({ input: child.stdout })) break;
  if (line !== 'cut') return t.comment(`skipped: ${line}`);
  const children = childrenOf(child.pid!);
  t.equal(children.length, 2, 'the reaper, and the one that holds the namespaces');
  const netOf = (pid: number): string => readlinkSync(`/proc/${pid}/ns/net`);
  const [hub] = children.filter((pid) => netOf(pid) !== netOf(process.pid));
  t.ok(hub, 'in a namespace of its own');
  child.kill('SIGKILL');
  await child;
  for (const pid of children) while (processStat(pid) !== undefined) await delay(10);
});

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').map(Number);
}
