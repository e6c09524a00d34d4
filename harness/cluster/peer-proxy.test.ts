import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { encodeFrame, encodeHandshake, type Frame, FrameDecoder, frameKind } from '../../system/transport/frame.ts';
import { LinkTable } from './links.ts';
import { PeerProxy } from './peer-proxy.ts';

/** What a receiver behind the proxy got: one text a frame, after the handshake, of each connection. */
interface Receiver {
  readonly server: Server;
  readonly port: number;
  readonly connections: { readonly socket: Socket; readonly texts: string[] }[];
  /** Resolves when the condition holds, looking again at every frame, connection and end. */
  until(holds: () => boolean): Promise<void>;
}

/** Not `once`, which rejects when the end was a reset. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));
const decoder = new TextDecoder();
const message = (text: string): Uint8Array => encodeFrame(frameKind.message, new TextEncoder().encode(text));

async function receiver(): Promise<Receiver> {
  const connections: Receiver['connections'][number][] = [];
  const watchers = new Set<() => void>();
  const changed = (): void => {
    for (const watcher of watchers) watcher();
  };
  const server = createServer((socket) => {
    const texts: string[] = [];
    const frames = new FrameDecoder(({ kind, payload }: Frame) => {
      texts.push(kind === frameKind.handshake ? 'handshake' : decoder.decode(payload));
      changed();
    });
    socket.on('data', (chunk) => frames.push(chunk));
    socket.on('error', () => {});
    socket.on('close', changed);
    connections.push({ socket, texts });
    changed();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    port: (server.address() as AddressInfo).port,
    connections,
    until: (holds) =>
      new Promise((resolve) => {
        const watcher = (): void => {
          if (!holds()) return;
          watchers.delete(watcher);
          resolve();
        };
        watchers.add(watcher);
        watcher();
      }),
  };
}

async function setUp(t: Test) {
  const draws: number[] = [];
  const links = new LinkTable((bound) => Math.min(draws.shift() ?? 0, bound - 1));
  const proxy = await PeerProxy.listen('2', links);
  const node = await receiver();
  proxy.setTarget(node.port);
  t.teardown(async () => {
    await proxy.close();
    for (const { socket } of node.connections) socket.destroy();
    node.server.close();
  });
  const dial = (from: string, purpose: 'messages' | 'snapshot' = 'messages'): Socket => {
    const socket = connect({ host: '127.0.0.1', port: proxy.port });
    socket.on('error', () => {});
    socket.write(encodeHandshake({ version: 1, cluster: 'c', from, to: '2', purpose }));
    return socket;
  };
  const counted = (holds: () => boolean): Promise<number> => links.until(holds, 30_000);
  return { links, proxy, node, dial, counted, draws };
}

t.test('frames arrive whole and in order, however the bytes were split', async (t) => {
  const { node, dial, links } = await setUp(t);
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ maxLength: 50 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(300), { maxLength: 6 }),
      async (texts, cuts) => {
        const bytes = Buffer.concat(texts.map(message));
        const at = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort((a, b) => a - b);
        const socket = dial('1');
        socket.setNoDelay(true);
        for (const [index, from] of at.entries()) {
          await new Promise((written) => socket.write(bytes.subarray(from, at[index + 1] ?? from), written));
        }
        sent += texts.length;
        socket.end();
        await node.until(() => node.connections.at(-1)?.texts.length === texts.length + 1);
        const got = node.connections.pop();
        return got !== undefined && got.texts.slice(1).join('\n') === texts.join('\n');
      },
    ),
    { numRuns: 40 },
  );
  t.match(links.counts('1', '2'), { passed: sent, dropped: 0 });
});

t.test('a cut discards whole frames of that sender only, and the connection lives on', async (t) => {
  const { links, node, dial, counted } = await setUp(t);
  const [one, three] = [dial('1'), dial('3')];
  one.write(message('a'));
  await node.until(() => node.connections.some(({ texts }) => texts.includes('a')));
  const fromOne = node.connections.find(({ texts }) => texts.includes('a'))!;
  const half = message('never').subarray(0, 7);
  one.write(half);
  links.cut([{ from: '1', to: '2' }]);
  one.write(message('never').subarray(7));
  one.write(message('lost'));
  three.write(message('b'));
  await counted(() => links.counts('1', '2').dropped === 2);
  await node.until(() => node.connections.some(({ texts }) => texts.includes('b')));
  links.cut([]);
  one.write(message('c'));
  await node.until(() => fromOne.texts.includes('c'));
  t.same(fromOne.texts, ['handshake', 'a', 'c']);
  t.match(links.counts('1', '2'), { passed: 2, dropped: 2 });
  t.match(links.counts('3', '2'), { passed: 1, dropped: 0 });
});

t.test('a connection made during a cut is held, and goes through when it heals', async (t) => {
  const { links, node, dial, counted } = await setUp(t);
  links.cut([{ from: '1', to: '2' }]);
  const one = dial('1');
  one.write(message('lost'));
  await counted(() => links.counts('1', '2').dropped === 1);
  t.equal(node.connections.length, 0);
  links.cut([]);
  one.write(message('a'));
  await node.until(() => node.connections[0]?.texts.length === 2);
  t.same(node.connections[0]?.texts, ['handshake', 'a']);
});

t.test('over a cut link no end learns that the other closed, until it heals', async (t) => {
  const { links, node, dial } = await setUp(t);
  const [one, three] = [dial('1'), dial('3')];
  one.write(message('one'));
  await node.until(() => node.connections[0]?.texts.length === 2);
  three.write(message('three'));
  await node.until(() => node.connections[1]?.texts.length === 2);
  const [fromOne, fromThree] = node.connections.map(({ socket }) => socket);

  links.cut([
    { from: '1', to: '2' },
    { from: '2', to: '3' },
  ]);
  one.destroy();
  fromThree!.destroy();
  // What goes the other ways is heard: by then the news of both ends would have come, too.
  const five = dial('5');
  five.write(message('five'));
  await node.until(() => node.connections[2]?.texts.length === 2);
  t.notOk(fromOne!.destroyed);
  t.notOk(three.destroyed);
  const bothClosed = Promise.all([closed(fromOne!), closed(three)]);
  links.cut([]);
  await bothClosed;
});

t.test('a snapshot that lost frames is broken off when the link heals', async (t) => {
  const { links, node, dial, counted } = await setUp(t);
  const stream = dial('1', 'snapshot');
  stream.write(message('a'));
  await node.until(() => node.connections[0]?.texts.length === 2);
  links.cut([{ from: '1', to: '2' }]);
  stream.write(message('lost'));
  await counted(() => links.counts('1', '2').dropped === 1);
  const broken = closed(stream);
  links.cut([]);
  await broken;
});

t.test('a sender is refused while the node is down, or when it is no peer', async (t) => {
  const { proxy, node, dial } = await setUp(t);
  const stranger = connect({ host: '127.0.0.1', port: proxy.port });
  stranger.on('error', () => {});
  stranger.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await closed(stranger);
  proxy.setTarget(undefined);
  await closed(dial('1'));
  proxy.setTarget(node.port);
  const again = dial('1');
  again.write(message('a'));
  await node.until(() => node.connections[0]?.texts.length === 2);
});

t.test('a slow receiver pauses the sender instead of filling memory', async (t) => {
  const { links, node, dial } = await setUp(t);
  const one = dial('1');
  await node.until(() => node.connections.length === 1);
  node.connections[0]!.socket.pause();
  const megabyte = encodeFrame(frameKind.message, new Uint8Array(1024 * 1024));
  let written = 0;
  while (one.write(megabyte) || one.writableLength < 16 * 1024 * 1024) written++;
  one.write(message('end'));
  // Far less than was sent has left the sender by the time the sockets on the way are full.
  await new Promise((resolve) => {
    let last = -1;
    const timer = setInterval(() => {
      if (one.writableLength === last) {
        clearInterval(timer);
        resolve(undefined);
      }
      last = one.writableLength;
    }, 100);
  });
  t.ok(one.writableLength > 4 * 1024 * 1024, `${one.writableLength} of ${written} MiB wait at the sender`);
  node.connections[0]!.socket.resume();
  await node.until(() => node.connections[0]!.texts.at(-1) === 'end');
  t.equal(links.counts('1', '2').passed, written + 2);
});

t.test('a disturbed link delays, loses, repeats and reorders whole frames, and only as told', async (t) => {
  const { links, node, dial, draws } = await setUp(t);
  const none = { delayMs: 0, jitterMs: 0, lossPercent: 0, duplicatePercent: 0, reorderPercent: 0, bytesPerS: 0 };
  const one = dial('1');
  const send = (...texts: string[]): void => void one.write(Buffer.concat(texts.map(message)));
  const got = async (...texts: string[]): Promise<void> => {
    await node.until(() => (node.connections[0]?.texts.length ?? 0) > texts.length);
    t.same(node.connections[0]?.texts.splice(1), texts);
  };
  const link = [{ from: '1', to: '2' }];

  const startedAt = performance.now();
  links.disturb(link, { ...none, delayMs: 40 });
  send('a', 'b');
  await got('a', 'b');
  t.ok(performance.now() - startedAt >= 40);

  links.disturb(link, { ...none, duplicatePercent: 100 });
  send('c');
  await got('c', 'c');

  // Of each frame: is it lost, repeated, how much later, is it overtaken.
  draws.push(...[99, 99, 0, 0], ...[99, 99, 0, 99]);
  links.disturb(link, { ...none, reorderPercent: 50 });
  send('late', 'early');
  await got('early', 'late');
  t.equal(links.counts('1', '2').overtaken, 1);

  links.disturb(link, { ...none, lossPercent: 100 });
  send('lost');
  await links.until(() => links.counts('1', '2').lost === 1, 30_000);
  links.disturb([{ from: '3', to: '2' }], { ...none, lossPercent: 100 });
  send('d');
  await got('d');
  t.match(links.counts('1', '2'), { passed: 7, lost: 1, duplicated: 1, dropped: 0 });

  const [long, slowAt] = ['x'.repeat(1000), performance.now()];
  links.disturb(link, { ...none, bytesPerS: 10_000 });
  send(long, 'e');
  await got(long, 'e');
  t.ok(performance.now() - slowAt >= 100, 'a slow link takes its time');
  links.disturb(link, { ...none, bytesPerS: 1 });
  send('f');
  await links.until(() => false, 50);
  t.equal(links.counts('1', '2').passed, 9);
  links.disturb([], none);
  await got('f');
});
