import type { Address, Connection, Listener, Timer, TlsIdentity } from '../ports.ts';
import { type Message, MessageType } from '../raft/index.ts';
import { type Frame, FrameError, frameKind, type Handshake } from './frame.ts';
import { type Receiver, receive } from './inbound.ts';
import { decodeMessage } from './message-codec.ts';
import { Peer, type PeerPorts, pingIntervalMs } from './peer.ts';
import { receiveSnapshot, type SnapshotSink, type SnapshotSource, sendSnapshot } from './snapshot-stream.ts';

export type { SnapshotSink, SnapshotSource } from './snapshot-stream.ts';

export interface TransportConfig {
  readonly cluster: string;
  readonly self: number;
  readonly listen: Address;
  /** Mutual TLS: shown to peers, and `ca` is whom to believe. */
  readonly tls?: TlsIdentity;
  /** How soon a peer that can be reached again must hear of us. */
  readonly electionMs: number;
}

export interface TransportHandlers {
  /** A message of a peer. */
  readonly message: (message: Message) => void;
  /** Messages to this peer were lost. */
  readonly unreachable: (peer: number) => void;
  /** Such a node may not talk to us any more. */
  readonly isRemoved: (node: number) => boolean;
  /** A snapshot arrives; undefined: not now. */
  readonly snapshotBegins: (message: Message) => Promise<SnapshotSink> | undefined;
  /** All of it is durable here. */
  readonly snapshotArrived: (message: Message) => void;
  /** Something worth telling the operator. */
  readonly refused: (reason: string, facts: Readonly<Record<string, unknown>>) => void;
}

/** Connections of other nodes to this one, at most: a cluster is small. */
const inboundMax = 256;

/** Messages and snapshots between this node and its peers. */
export class Transport {
  readonly #ports: PeerPorts;
  readonly #config: TransportConfig;
  readonly #handlers: TransportHandlers;
  readonly #peers = new Map<number, Peer>();
  /** Peers with frames for this turn's write. */
  readonly #touched = new Set<Peer>();
  readonly #inbound = new Set<Connection>();
  readonly #sending = new Map<number, { readonly cancel: () => void }>();
  #listener: Listener | undefined;
  /** One for all peers. */
  #ping: Timer;
  #closed = false;

  constructor(ports: PeerPorts, config: TransportConfig, handlers: TransportHandlers) {
    this.#ports = ports;
    this.#config = config;
    this.#handlers = handlers;
    this.#ping = this.#armPing();
  }

  /** @returns where it listens, when port 0 was asked for */
  async listen(): Promise<Address> {
    const { network } = this.#ports;
    this.#listener = await network.listen(this.#config.listen, (one) => this.#accept(one), this.#config.tls);
    return this.#listener.address;
  }

  /** Where a peer is; a changed address takes effect with a new connection. */
  setPeer(id: number, address: Address): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) {
      if (peer.address.host !== address.host || peer.address.port !== address.port) peer.moveTo(address);
      return;
    }
    const { tls, electionMs } = this.#config;
    const handshake = this.#handshake(id, 'messages');
    const lost = () => this.#handlers.unreachable(id);
    this.#peers.set(id, new Peer(this.#ports, { handshake, address, tls, electionMs, lost }));
  }

  removePeer(id: number): void {
    this.#peers.get(id)?.close();
    this.#peers.delete(id);
    this.#sending.get(id)?.cancel();
  }

  get peers(): readonly number[] {
    return [...this.#peers.keys()];
  }

  isConnected(id: number): boolean {
    return this.#peers.get(id)?.isConnected ?? false;
  }

  /** Takes a message for this turn's write. To somebody unknown it is dropped. */
  send(message: Message): void {
    const peer = this.#peers.get(message.to);
    if (peer === undefined) return;
    peer.send(message);
    this.#touched.add(peer);
  }

  /** One write a peer for all that was sent since the last flush. */
  flush(): void {
    for (const peer of this.#touched) peer.flush();
    this.#touched.clear();
  }

  /** @param done called once, in a later turn, with whether it arrived */
  sendSnapshot(message: Message, source: SnapshotSource, done: (sent: boolean) => void): void {
    const { to } = message;
    const address = this.#peers.get(to)?.address;
    if (address === undefined || this.#sending.has(to) || this.#closed) {
      void source.close();
      this.#ports.clock.setTimer(0, () => done(false));
      return;
    }
    const handshake = this.#handshake(to, 'snapshot');
    const sending = sendSnapshot(this.#ports, handshake, address, this.#config.tls, message, source, (sent) => {
      this.#sending.delete(to);
      done(sent);
    });
    this.#sending.set(to, sending);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ping.cancel();
    for (const peer of this.#peers.values()) peer.close();
    for (const sending of [...this.#sending.values()]) sending.cancel();
    for (const connection of [...this.#inbound]) connection.destroy();
    await this.#listener?.close();
  }

  #armPing(): Timer {
    return this.#ports.clock.setTimer(pingIntervalMs, () => {
      this.#ping = this.#armPing();
      for (const peer of this.#peers.values()) peer.ping();
    });
  }

  #handshake(to: number, purpose: Handshake['purpose']): Handshake {
    return { version: 1, cluster: this.#config.cluster, from: String(this.#config.self), to: String(to), purpose };
  }

  #accept(connection: Connection): void {
    if (this.#closed || this.#inbound.size >= inboundMax) {
      connection.destroy();
      return;
    }
    this.#inbound.add(connection);
    receive(this.#ports.clock, connection, {
      greeted: (handshake) => this.#greeted(handshake, connection),
      refused: (reason) => this.#handlers.refused(reason, { remote: connection.remote }),
      closed: () => this.#inbound.delete(connection),
    });
  }

  /** @returns why the peer is refused */
  #greeted({ cluster, from, to, purpose }: Handshake, connection: Connection): Receiver | string {
    if (cluster !== this.#config.cluster) return `node ${from} is of cluster ${cluster}, not ${this.#config.cluster}`;
    if (to !== String(this.#config.self)) return `node ${from} looks for node ${to}, this is ${this.#config.self}`;
    const sender = Number(from);
    if (!Number.isSafeInteger(sender) || sender <= 0) return `no node id: ${from}`;
    if (this.#handlers.isRemoved(sender)) return `node ${from} was removed from the cluster`;
    const checked = (message: Message): Message => {
      if (message.to !== this.#config.self) throw new FrameError(`a message for node ${message.to}`);
      return message;
    };
    if (purpose === 'snapshot') {
      const { snapshotBegins, snapshotArrived, refused } = this.#handlers;
      return receiveSnapshot(
        this.#ports.clock,
        connection,
        (message) => snapshotBegins(checked(message)),
        snapshotArrived,
        (error) => refused(`snapshot from node ${from}: ${error.message}`, { remote: connection.remote }),
      );
    }
    return {
      frame: (frame: Frame) => {
        if (frame.kind === frameKind.ping) return;
        if (frame.kind !== frameKind.message) throw new FrameError(`a frame of kind ${frame.kind} among messages`);
        // Somebody removed while connected is cut off with its next message.
        if (this.#handlers.isRemoved(sender)) throw new FrameError(`node ${from} was removed from the cluster`);
        const message = checked(decodeMessage(frame.source, frame.payloadStart, frame.payloadEnd));
        if (message.type === MessageType.Snap) throw new FrameError('a snapshot among messages');
        this.#handlers.message(message);
      },
      closed: () => {},
    };
  }
}
