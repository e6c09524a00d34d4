import type { Address, Clock, Connection, Network, Random, Timer, TlsIdentity } from '../ports.ts';
import type { Message } from '../raft/index.ts';
import { encodeFrame, encodeHandshake, frameKind, type Handshake } from './frame.ts';
import { encodeMessage } from './message-codec.ts';

/** Bytes that may wait for a slow or silent peer; messages beyond are dropped, which raft makes good. */
const queueBytesMax = 32 * 1024 * 1024;
/** How often an idle connection is heard of; `Peer.ping` is called at this pace. */
export const pingIntervalMs = 100;
const reconnectMsMin = 50;
const reconnectMsMax = 1000;
/** A connection that takes nothing for this long is given up. */
const stalledMsMax = 5000;

const ping = encodeFrame(frameKind.ping, new Uint8Array(0));

export interface PeerPorts {
  readonly clock: Clock;
  readonly network: Network;
  readonly random: Random;
}

export interface PeerOptions {
  readonly handshake: Handshake;
  readonly address: Address;
  readonly tls: TlsIdentity | undefined;
  /**
   * An election time-out. A dial is given up after that long, and pauses between dials grow to half of it, so that a
   * link that is whole again carries the votes of the next elections.
   */
  readonly electionMs: number;
  /** Messages were lost. */
  readonly lost: () => void;
}

/**
 * The outgoing messages to one peer: a connection that is made again with growing pauses, and one write a turn with
 * all of the turn's frames. Messages are lost whenever the connection is: `lost` tells, once a flush.
 */
export class Peer {
  readonly #ports: PeerPorts;
  readonly #handshake: Uint8Array;
  readonly #tls: TlsIdentity | undefined;
  readonly #dialMsMax: number;
  readonly #reconnectMsMax: number;
  readonly #lost: () => void;
  #address: Address;
  #connection: Connection | undefined;
  #isOpen = false;
  #frames: Uint8Array[] = [];
  #reconnectMs = reconnectMsMin;
  #reconnect: Timer | undefined;
  #dialledMs = 0;
  #openedMs = 0;
  #lastWriteMs = 0;
  #lastDrainMs = 0;
  #closed = false;

  constructor(ports: PeerPorts, { handshake, address, tls, electionMs, lost }: PeerOptions) {
    this.#ports = ports;
    this.#dialMsMax = electionMs;
    this.#reconnectMsMax = Math.max(reconnectMsMin, Math.min(reconnectMsMax, electionMs / 2));
    this.#handshake = encodeHandshake(handshake);
    this.#address = address;
    this.#tls = tls;
    this.#lost = lost;
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#isOpen;
  }

  get address(): Address {
    return this.#address;
  }

  /** From the next connection on; the present one is given up. */
  moveTo(address: Address): void {
    this.#address = address;
    this.#connection?.destroy();
  }

  /** Takes a message for this turn's write. */
  send(message: Message): void {
    this.#frames.push(encodeMessage(message));
  }

  /** Writes what `send` took; called once at the end of a turn that sent anything. */
  flush(): void {
    if (this.#frames.length === 0) return;
    const frames = this.#frames;
    this.#frames = [];
    const connection = this.#connection;
    if (connection === undefined || connection.bufferedBytes > queueBytesMax) this.#lost();
    else this.#write(connection, frames);
  }

  /** Says something when nothing else was said lately; gives up a dial without answer and a connection that stalls. */
  ping(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const nowMs = this.#ports.clock.monotonicMs();
    if (!this.#isOpen && nowMs - this.#dialledMs > this.#dialMsMax) {
      connection.destroy();
      return;
    }
    if (connection.bufferedBytes > 0 && nowMs - this.#lastDrainMs > stalledMsMax) {
      connection.destroy();
      return;
    }
    const idle = nowMs - this.#lastWriteMs >= pingIntervalMs * 0.9;
    if (idle && this.#isOpen && connection.bufferedBytes <= queueBytesMax) this.#write(connection, [ping]);
  }

  close(): void {
    this.#closed = true;
    this.#reconnect?.cancel();
    this.#connection?.destroy();
  }

  #write(connection: Connection, frames: readonly Uint8Array[]): void {
    const nowMs = this.#ports.clock.monotonicMs();
    if (connection.bufferedBytes === 0) this.#lastDrainMs = nowMs;
    this.#lastWriteMs = nowMs;
    connection.write(frames);
  }

  #connect(): void {
    this.#reconnect = undefined;
    this.#dialledMs = this.#ports.clock.monotonicMs();
    const connection = this.#ports.network.connect(
      this.#address,
      {
        opened: () => {
          this.#isOpen = true;
          this.#openedMs = this.#ports.clock.monotonicMs();
        },
        // Nothing is said in this direction; who says something is not a peer.
        data: () => connection.destroy(),
        drained: () => {
          this.#lastDrainMs = this.#ports.clock.monotonicMs();
        },
        closed: () => {
          // Only a connection that lasted counts as success: who refuses us closes as soon as it read who we are.
          const lastedMs = this.#isOpen ? this.#ports.clock.monotonicMs() - this.#openedMs : 0;
          if (lastedMs > this.#reconnectMsMax) this.#reconnectMs = reconnectMsMin;
          this.#connection = undefined;
          this.#isOpen = false;
          if (!this.#closed) this.#reconnectLater();
        },
      },
      this.#tls,
    );
    this.#connection = connection;
    this.#write(connection, [this.#handshake]);
  }

  #reconnectLater(): void {
    this.#lost();
    const jitterMs = (this.#ports.random.uint32() / 2 ** 32) * (this.#reconnectMs / 2);
    this.#reconnect = this.#ports.clock.setTimer(this.#reconnectMs + jitterMs, () => this.#connect());
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, this.#reconnectMsMax);
  }
}
