import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { NodeId } from '../../nemesis/world.ts';
import { decodeHandshake, type Frame, FrameDecoder, type Handshake } from '../../system/transport/frame.ts';
import { DelayLine } from './delay-line.ts';
import type { LinkTable } from './links.ts';

const connectionsMax = 256;
const handshakeTimeoutMs = 5000;
/** A timer alone holds a frame for about one millisecond; only from here on it counts as delayed. */
const delayedMsMin = 3;
/** How much longer an overtaken frame waits: a sender with nothing to say still pings every 100 ms. */
const overtakingMs = 150;
const host = '127.0.0.1';

/**
 * Stands before one node's peer port. A connection's sender is known from its handshake, so one proxy a receiver
 * suffices to cut directed links exactly: while a link is cut its whole frames are read and discarded, connections
 * stay open, and new ones are accepted and held until it heals. What a link's ends could not learn of each other
 * over a cut network, such as that the other end was closed, they do not learn here either.
 *
 * Bounds: one incomplete frame a connection (`frameBytesMax`), what the sockets buffer (a slow receiver pauses the
 * sender), and `connectionsMax` connections; more are refused.
 */
export class PeerProxy {
  readonly node: NodeId;
  readonly #links: LinkTable;
  readonly #nodeOf: NodeOf;
  readonly #server: Server;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #unwatch: () => void;
  #targetPort: number | undefined;

  private constructor(node: NodeId, links: LinkTable, nodeOf: NodeOf, server: Server) {
    this.node = node;
    this.#links = links;
    this.#nodeOf = nodeOf;
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
    const unwatchCuts = links.watchCuts(() => {
      for (const connection of this.#connections) connection.settle();
    });
    const unwatchDisturbances = links.watchDisturbances(() => {
      for (const connection of this.#connections) connection.expedite();
    });
    this.#unwatch = () => {
      unwatchCuts();
      unwatchDisturbances();
    };
  }

  /** Listens on any free port of loopback, for as long as the cluster lives. */
  static async listen(node: NodeId, links: LinkTable, nodeOf: NodeOf = (member) => member): Promise<PeerProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: false });
    server.listen(0, host);
    await once(server, 'listening');
    return new PeerProxy(node, links, nodeOf, server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Where the node really listens; undefined while it is down. */
  setTarget(port: number | undefined): void {
    this.#targetPort = port;
  }

  /** Resets all connections of one sender. @returns how many there were */
  reset(from: NodeId): number {
    const chosen = [...this.#connections].filter((connection) => connection.from === from);
    for (const connection of chosen) connection.destroy();
    return chosen.length;
  }

  async close(): Promise<void> {
    this.#unwatch();
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= connectionsMax) {
      socket.on('error', () => {});
      socket.resetAndDestroy();
      return;
    }
    const connection = new ProxiedConnection(socket, this.node, this.#links, {
      targetPort: () => this.#targetPort,
      nodeOf: this.#nodeOf,
      closed: () => void this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}

/** On which node a member of the store is or was, by its id. */
type NodeOf = (member: string) => NodeId;

interface Owner {
  readonly nodeOf: NodeOf;
  targetPort(): number | undefined;
  closed(): void;
}

class ProxiedConnection {
  readonly #sender: Socket;
  readonly #to: NodeId;
  readonly #links: LinkTable;
  readonly #owner: Owner;
  readonly #handshakeTimer: NodeJS.Timeout;
  readonly #delayed = new DelayLine((bytes, { heldMs, wasOvertaken }) => {
    if (this.from !== undefined) {
      if (heldMs >= delayedMsMin) this.#links.count(this.from, this.#to, 'delayed');
      if (wasOvertaken) this.#links.count(this.from, this.#to, 'overtaken');
    }
    this.#pass(bytes);
    if (!this.#isFull && this.#receiver?.writableNeedDrain !== true) this.#sender.resume();
  });
  #receiver: Socket | undefined;
  #handshake: { readonly content: Handshake; readonly bytes: Uint8Array } | undefined;
  #senderClosed = false;
  #receiverClosed = false;
  /** Frames of a snapshot were discarded: a stream with a hole is of no use to anyone. */
  #holed = false;
  #destroyed = false;

  constructor(sender: Socket, to: NodeId, links: LinkTable, owner: Owner) {
    this.#sender = sender;
    this.#to = to;
    this.#links = links;
    this.#owner = owner;
    this.#handshakeTimer = setTimeout(() => this.destroy(), handshakeTimeoutMs);
    const decoder = new FrameDecoder((frame) => this.#frameFromSender(frame));
    sender.on('data', (chunk) => this.#decode(decoder, chunk));
    sender.on('error', () => {});
    sender.on('close', () => {
      this.#senderClosed = true;
      this.settle();
    });
  }

  get from(): NodeId | undefined {
    return this.#handshake && this.#fromOf(this.#handshake.content);
  }

  /** Its link is another now: what was held back is so no longer. */
  expedite(): void {
    if (!this.#destroyed) this.#delayed.expedite();
  }

  get #isFull(): boolean {
    const { from } = this;
    return from !== undefined && this.#delayed.waitingBytes > this.#links.waitingBytesMax(from, this.#to);
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#delayed.close();
    clearTimeout(this.#handshakeTimer);
    this.#sender.resetAndDestroy();
    this.#receiver?.resetAndDestroy();
    this.#owner.closed();
  }

  /** Looks again at what either end may know now: called when a cut, the target or an end has changed. */
  settle(): void {
    if (this.#destroyed) return;
    if (this.#handshake === undefined) {
      if (this.#senderClosed) this.destroy();
      return;
    }
    const from = this.#fromOf(this.#handshake.content);
    const forth = !this.#links.isCut(from, this.#to);
    const back = !this.#links.isCut(this.#to, from);
    if (this.#senderClosed && (forth || this.#receiver === undefined || this.#receiverClosed)) this.#end();
    else if (this.#receiverClosed && back) this.destroy();
    else if (this.#holed && forth) this.destroy();
    else if (this.#receiver === undefined && forth) this.#open(this.#handshake.bytes);
  }

  #open(handshake: Uint8Array): void {
    const port = this.#owner.targetPort();
    if (port === undefined) {
      this.destroy();
      return;
    }
    const receiver = connect({ host, port, noDelay: true });
    this.#receiver = receiver;
    const decoder = new FrameDecoder((frame) => this.#frameFromReceiver(frame));
    receiver.on('data', (chunk) => this.#decode(decoder, chunk));
    receiver.on('drain', () => {
      if (!this.#isFull) this.#sender.resume();
    });
    receiver.on('error', () => {});
    receiver.on('close', () => {
      this.#receiverClosed = true;
      this.#sender.resume();
      this.settle();
    });
    this.#sender.on('drain', () => receiver.resume());
    receiver.write(handshake);
  }

  #decode(decoder: FrameDecoder, chunk: Uint8Array): void {
    if (this.#destroyed) return;
    try {
      decoder.push(chunk);
    } catch {
      this.destroy(); // Not a peer of ours, or a stream that cannot be used any further.
    }
  }

  #frameFromSender(frame: Frame): void {
    if (this.#destroyed) return;
    if (this.#handshake === undefined) {
      this.#handshake = { content: decodeHandshake(frame), bytes: frame.bytes };
      clearTimeout(this.#handshakeTimer);
      this.settle();
      return;
    }
    const { purpose } = this.#handshake.content;
    const from = this.#fromOf(this.#handshake.content);
    const fate = this.#links.fate(from, this.#to, purpose === 'snapshot', frame.bytes.length);
    if (fate === undefined && this.#delayed.isEmpty) {
      this.#pass(frame.bytes);
      return;
    }
    const { copies, delayMs, overtaken } = fate ?? { copies: 1, delayMs: 0, overtaken: false };
    if (copies === 0) this.#links.count(from, this.#to, 'lost');
    if (copies === 2) this.#links.count(from, this.#to, 'duplicated');
    for (let copy = 0; copy < copies; copy++) {
      this.#delayed.put(frame.bytes, delayMs + (overtaken ? overtakingMs : 0), overtaken);
    }
    if (this.#isFull) this.#sender.pause();
  }

  #pass(bytes: Uint8Array): void {
    if (this.#destroyed || this.#handshake === undefined) return;
    const { purpose } = this.#handshake.content;
    const from = this.#fromOf(this.#handshake.content);
    if (!this.#links.admit(from, this.#to)) {
      if (purpose === 'snapshot') this.#holed = true;
    } else if (!this.#receiverClosed && this.#receiver?.write(bytes) === false) {
      this.#sender.pause();
    }
  }

  #fromOf({ from }: Handshake): NodeId {
    return this.#owner.nodeOf(from);
  }

  #frameFromReceiver(frame: Frame): void {
    const from = this.from;
    if (this.#destroyed || from === undefined) return;
    if (this.#links.admit(this.#to, from) && !this.#senderClosed && !this.#sender.write(frame.bytes)) {
      this.#receiver?.pause();
    }
  }

  /** The sender closed and the receiver may know: it first gets what was already passed on. */
  #end(): void {
    this.#destroyed = true;
    this.#delayed.close();
    clearTimeout(this.#handshakeTimer);
    this.#receiver?.destroySoon();
    this.#owner.closed();
  }
}
