import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { MemoryWorld } from '../node/testing/memory-world.ts';
import { type Entry, EntryType, type Message, MessageType, newMessage } from '../raft/index.ts';
import { FrameDecoder, FrameError } from './frame.ts';
import { type SnapshotSink, Transport, type TransportHandlers } from './index.ts';
import { decodeMessage, encodeMessage } from './message-codec.ts';
import { Peer } from './peer.ts';

const number = fc.maxSafeNat();
/** Of entries: what six bytes hold, as in the log. */
const entryNumber = fc.maxSafeNat().map((value) => value % 2 ** 48);
const types = Object.values(MessageType).filter((type) => type < MessageType.StorageAppend);
const anyMessage: fc.Arbitrary<Message> = fc
  .record({
    type: fc.constantFrom(...types),
    numbers: fc.array(number, { minLength: 9, maxLength: 9 }),
    reject: fc.boolean(),
    entries: fc.array(
      fc.record(
        {
          term: entryNumber,
          index: entryNumber,
          type: fc.constantFrom(...Object.values(EntryType)),
          data: fc.uint8Array(),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 4 },
    ),
    committed: fc.option(fc.record({ index: number, term: number }, { noNullPrototype: true }), { nil: undefined }),
    snapshot: fc.option(
      fc.record({ index: number, term: number, ids: fc.array(number, { maxLength: 3 }), autoLeave: fc.boolean() }),
      { nil: undefined },
    ),
  })
  .map(({ type, numbers, reject, entries, committed, snapshot }) => {
    const [to = 0, from = 0, term = 0, logTerm = 0, index = 0, commit = 0, rejectHint = 0, context = 0, vote = 0] =
      numbers;
    const message = {
      ...newMessage(type, to),
      from,
      term,
      logTerm,
      index,
      commit,
      rejectHint,
      context,
      vote,
      reject,
      entries,
      committed,
    };
    if (snapshot === undefined) return message;
    const { ids, autoLeave, ...at } = snapshot;
    const confState = { voters: ids, learners: [], votersOutgoing: ids, learnersNext: [7], autoLeave };
    return { ...message, snapshot: { metadata: { ...at, confState }, data: Uint8Array.of(1, 2) } };
  });

t.test('messages survive the wire, and cut ones are refused', async () => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), (message, at) => {
      let payload = new Uint8Array(0);
      new FrameDecoder((frame) => {
        payload = frame.payload.slice();
      }).push(encodeMessage(message));
      const cut = payload.slice(0, at % payload.length);
      let refused = false;
      try {
        decodeMessage(cut);
      } catch (error) {
        refused = error instanceof FrameError;
      }
      return refused && isDeepStrictEqual(decodeMessage(payload), message);
    }),
  );
});

interface Station {
  readonly transport: Transport;
  readonly messages: Message[];
  readonly refusals: string[];
  readonly lost: number[];
  readonly snapshots: { message: Message; bytes: number[] }[];
}

const electionMs = 250;

async function station(
  world: MemoryWorld,
  id: number,
  cluster: string,
  over: Partial<TransportHandlers> = {},
): Promise<Station> {
  const messages: Message[] = [];
  const refusals: string[] = [];
  const lost: number[] = [];
  const snapshots: Station['snapshots'] = [];
  let arriving: number[] = [];
  const sink: SnapshotSink = {
    write: async (chunk) => {
      arriving.push(...chunk);
    },
    finish: async () => {},
    abort: async () => {
      arriving = [];
    },
  };
  const config = { cluster, self: id, listen: { host: 'h', port: 1000 + id }, electionMs };
  const transport = new Transport(world.ports(String(id)), config, {
    message: (message) => messages.push(message),
    unreachable: (peer) => lost.push(peer),
    isRemoved: () => false,
    snapshotBegins: async () => sink,
    snapshotArrived: (message) => snapshots.push({ message, bytes: arriving }),
    refused: (reason) => refusals.push(reason),
    ...over,
  });
  await transport.listen();
  return { transport, messages, refusals, lost, snapshots };
}

function append(to: number, from: number, ...payloads: readonly Uint8Array[]): Message {
  const entries = payloads.map((data, at): Entry => ({ term: 1, index: at + 1, type: EntryType.Normal, data }));
  return { ...newMessage(MessageType.App, to), from, term: 1, entries };
}

t.test('messages arrive; after a crash of the peer it is found again', async (t) => {
  const world = new MemoryWorld(1);
  const one = await station(world, 1, 'c');
  let two = await station(world, 2, 'c');
  one.transport.setPeer(2, { host: 'h', port: 1002 });
  one.transport.send(append(2, 1, Uint8Array.of(5)));
  one.transport.flush();
  await world.until('it arrives', () => two.messages.length === 1);
  t.same([...two.messages[0]!.entries[0]!.data], [5]);
  world.crash('2');
  await world.until('the loss is told', () => one.lost.includes(2));
  two = await station(world, 2, 'c');
  await world.until('it is connected again', () => one.transport.isConnected(2));
  one.transport.send(append(2, 1));
  one.transport.flush();
  await world.until('it arrives', () => two.messages.length === 1);
});

t.test('a peer that was away for long is found again within an election time-out', async (t) => {
  const world = new MemoryWorld(5);
  const one = await station(world, 1, 'c');
  await station(world, 2, 'c');
  one.transport.setPeer(2, { host: 'h', port: 1002 });
  await world.until('it is connected', () => one.transport.isConnected(2));
  world.crash('2');
  await world.pass(30_000);
  await station(world, 2, 'c');
  await world.until('it is connected again', () => one.transport.isConnected(2), electionMs);
  t.ok(one.transport.isConnected(2));
});

t.test('a dial that nobody answers is given up after an election time-out', async (t) => {
  const world = new MemoryWorld(6);
  const ports = world.ports('1');
  const dialledMs: number[] = [];
  const network: typeof ports.network = {
    ...ports.network,
    connect: (address, handlers) => {
      dialledMs.push(world.nowMs);
      const destroy = () => world.schedule(0, () => handlers.closed(undefined));
      return {
        remote: address,
        bufferedBytes: 0,
        handle() {},
        write() {},
        pause() {},
        resume() {},
        end: destroy,
        destroy,
      };
    },
  };
  const handshake = { version: 1, cluster: 'c', from: '1', to: '2', purpose: 'messages' } as const;
  const address = { host: 'h', port: 1002 };
  const peer = new Peer({ ...ports, network }, { handshake, address, tls: undefined, electionMs, lost: () => {} });
  await world.pass(electionMs - 1);
  peer.ping();
  t.equal(dialledMs.length, 1, 'until then it may be answered');
  await world.pass(2);
  peer.ping();
  await world.pass(electionMs);
  t.equal(dialledMs.length, 2);
  peer.close();
});

t.test('strangers are refused', async (t) => {
  const world = new MemoryWorld(2);
  const two = await station(world, 2, 'c', { isRemoved: (id) => id === 3 });
  const send = async (from: number, cluster: string, to = 2) => {
    const { transport } = await station(world, from, cluster);
    transport.setPeer(to, { host: 'h', port: 1002 });
    transport.send(append(to, from));
    transport.flush();
    await world.until('a refusal', () => two.refusals.length > 0);
    await transport.close();
    return two.refusals.splice(0).join();
  };
  t.match(await send(1, 'other'), /node 1 is of cluster other, not c/);
  t.match(await send(3, 'c'), /node 3 was removed/);
  t.match(await send(4, 'c', 9), /looks for node 9, this is 2/);
  t.same(two.messages, []);
});

t.test('a snapshot of which no more comes is given up, so that another can', async (t) => {
  const world = new MemoryWorld(3);
  const one = await station(world, 1, 'c');
  const two = await station(world, 2, 'c');
  one.transport.setPeer(2, { host: 'h', port: 1002 });
  const confState = { voters: [1], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const snapshot = { metadata: { index: 9, term: 1, confState }, data: new Uint8Array(0) };
  const message: Message = { ...newMessage(MessageType.Snap, 2), from: 1, term: 1, snapshot };
  const left = [new Uint8Array(1000)];
  const silent = new Promise<undefined>(() => {});
  let sent: boolean | undefined;
  const source = { next: async () => left.shift() ?? silent, close: async () => {} };
  one.transport.sendSnapshot(message, source, (arrived) => {
    sent = arrived;
  });
  await world.until('it is told', () => sent !== undefined);
  t.equal(sent, false);
  t.match(two.refusals, [/snapshot from node 1: no more of the snapshot for 5000 ms/]);
});

t.test('a snapshot whose sender dies while the whole of it is made durable has arrived', async (t) => {
  const world = new MemoryWorld(4);
  const one = await station(world, 1, 'c');
  let durable: (() => void) | undefined;
  const finish = () =>
    new Promise<void>((resolve) => {
      durable = resolve;
    });
  const abort = async () => {
    t.fail('it is kept');
  };
  const sink: SnapshotSink = { write: async () => {}, finish, abort };
  const two = await station(world, 2, 'c', { snapshotBegins: async () => sink });
  one.transport.setPeer(2, { host: 'h', port: 1002 });
  const confState = { voters: [1], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const snapshot = { metadata: { index: 9, term: 1, confState }, data: new Uint8Array(0) };
  const message: Message = { ...newMessage(MessageType.Snap, 2), from: 1, term: 1, snapshot };
  one.transport.sendSnapshot(message, { next: async () => undefined, close: async () => {} }, () => {});
  await world.until('its end is there', () => durable !== undefined);
  world.crash('1');
  await world.until('the connection is lost', () => two.refusals.length > 0);
  durable?.();
  await world.until('it is told', () => two.snapshots.length === 1);
});

t.test('a snapshot is streamed, in order, and its end is told', async (t) => {
  const world = new MemoryWorld(3);
  const one = await station(world, 1, 'c');
  const two = await station(world, 2, 'c');
  one.transport.setPeer(2, { host: 'h', port: 1002 });
  const confState = { voters: [1], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const snapshot = { metadata: { index: 9, term: 1, confState }, data: new Uint8Array(0) };
  const message: Message = { ...newMessage(MessageType.Snap, 2), from: 1, term: 1, snapshot };
  const pieces = Array.from({ length: 20 }, (_, at) => new Uint8Array(1000).fill(at));
  const source = () => {
    const left = [...pieces];
    return { next: async () => left.shift(), close: async () => {} };
  };
  let sent: boolean | undefined;
  one.transport.sendSnapshot(message, source(), (arrived) => {
    sent = arrived;
  });
  await world.until('it is told', () => sent !== undefined);
  t.equal(sent, true);
  t.equal(two.snapshots.length, 1);
  t.same(
    two.snapshots[0]!.bytes,
    pieces.flatMap((piece) => [...piece]),
  );
  // In the middle of the next one the receiver dies.
  sent = undefined;
  one.transport.sendSnapshot(message, source(), (arrived) => {
    sent = arrived;
  });
  await world.pass(1);
  world.crash('2');
  await world.until('it is told', () => sent !== undefined);
  t.equal(sent, false);
});
