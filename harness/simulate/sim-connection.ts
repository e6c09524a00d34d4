import { undisturbed } from '../../nemesis/disturbance.ts';
import { type Address, type Connection, type ConnectionHandlers, PortError } from '../../system/ports.ts';
import { eventKind, type SimProcess } from './scheduler.ts';
import type { SimLink } from './sim-link.ts';
import type { SimNetwork } from './sim-network.ts';
import { arrived, type Letter } from './wiretap.ts';

/** One end of a simulated connection. */
export class SimConnection implements Connection {
  readonly remote: Address;
  readonly process: SimProcess;
  readonly dialled: boolean;
  readonly bufferedBytes = 0;
  closed = false;
  other: SimConnection | undefined;
  /** The way to the other end. */
  #link: SimLink | undefined;
  readonly #network: SimNetwork;
  #handlers: ConnectionHandlers | undefined;
  /** What was written before the other end was there. */
  #early: Uint8Array[] | undefined = [];
  #wrote = false;
  #paused = false;
  readonly #held: Uint8Array[] = [];
  /** Streams keep their order: nothing arrives before what was sent before it. */
  #lastArrivalUs = 0;

  constructor(network: SimNetwork, process: SimProcess, remote: Address, dialled: boolean) {
    this.#network = network;
    this.process = process;
    this.remote = remote;
    this.dialled = dialled;
  }

  handle(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  join(other: SimConnection): void {
    this.other = other;
    this.#link = this.#network.link(this.process.node, other.process.node);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const bytes of early) this.#send(bytes);
  }

  openLater(delayUs: number): void {
    this.#network.scheduler.schedule(delayUs, eventKind.connect, this.process, () => {
      if (!this.closed) this.#handlers?.opened?.();
    });
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.closed) return;
    const bytes = joinChunks(chunks);
    if (this.#early !== undefined) this.#early.push(bytes);
    else this.#send(bytes);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const bytes of this.#held.splice(0)) this.#arriveLater(0, bytes, undefined);
  }

  end(): void {
    this.#close(undefined, false);
  }

  destroy(): void {
    this.#close(undefined, true);
  }

  /** Both ends fail with the error. */
  fail(error: PortError): void {
    this.other?.failLater(0, error);
    this.failLater(0, error);
  }

  failLater(delayUs: number, error: PortError): void {
    this.#network.scheduler.schedule(delayUs, eventKind.close, this.process, () => this.closedBy(error));
  }

  /** Its process died: it hears nothing any more, the other end hears of a reset. */
  abandon(): void {
    if (this.closed) return;
    this.closed = true;
    this.#network.forget(this);
    this.other?.failLater(this.#network.latencyUs(), new PortError('ECONNRESET', 'the peer is gone'));
  }

  closedBy(error: PortError | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.#network.forget(this);
    this.#handlers?.closed(error);
  }

  #close(error: PortError | undefined, atOnce: boolean): void {
    if (this.closed) return;
    const { other } = this;
    if (other !== undefined) {
      const delayUs = atOnce ? this.#network.latencyUs() : this.#orderedDelay(this.#network.latencyUs());
      this.#network.scheduler.schedule(delayUs, eventKind.close, other.process, () => other.closedBy(error));
    }
    // Like every callback, `closed` comes in a later turn.
    this.#network.scheduler.schedule(0, eventKind.close, this.process, () => this.closedBy(error));
  }

  #send(bytes: Uint8Array): void {
    const { other } = this;
    const link = this.#link;
    if (other === undefined || link === undefined || other.closed) return;
    const network = this.#network;
    network.bytes += bytes.length;
    const { counters, disturbance } = link;
    const first = !this.#wrote;
    this.#wrote = true;
    const letters = network.wiretap?.sent(this.process.node, other.process.node, bytes, network.scheduler.nowUs);
    if (link.isCut) {
      counters.dropped++;
      // Without its handshake the stream says nothing: as a dial that nobody answers.
      if (first) this.fail(new PortError('ETIMEDOUT', 'no answer'));
      return;
    }
    const { conditions } = network;
    if (!first) {
      if (network.chance(conditions.reset)) {
        network.happened('connections reset');
        this.fail(new PortError('ECONNRESET', 'connection reset'));
        return;
      }
      if (network.chance(conditions.lose)) {
        network.happened('frames lost');
        counters.dropped++;
        return;
      }
    }
    const isDisturbed = !first && disturbance !== undisturbed;
    const { delayMs, jitterMs, lossPercent, duplicatePercent, reorderPercent } = disturbance;
    if (isDisturbed && network.percent(lossPercent)) {
      network.happened('frames lost');
      counters.disturbed++;
      return;
    }
    counters.passed++;
    const addedUs = delayMs * 1000 + network.jitterUs(jitterMs) + link.carryUs(bytes.length, network.scheduler.nowUs);
    if (addedUs > 0) counters.disturbed++;
    if (isDisturbed && network.percent(duplicatePercent)) {
      network.happened('frames repeated');
      counters.disturbed++;
      other.#arriveLater(addedUs + network.strayUs(), bytes, link, letters);
    }
    if (isDisturbed && network.percent(reorderPercent)) {
      network.happened('frames overtaken');
      counters.disturbed++;
      other.#arriveLater(addedUs + network.latencyUs() + network.strayUs(), bytes, link, letters);
      return;
    }
    if (!first && network.chance(conditions.duplicate)) {
      network.happened('frames repeated');
      other.#arriveLater(network.strayUs(), bytes, link, letters);
    }
    if (!first && network.chance(conditions.reorder)) {
      network.happened('frames overtaken');
      other.#arriveLater(network.latencyUs() + network.strayUs(), bytes, link, letters);
      return;
    }
    const delayUs = this.#orderedDelay(addedUs + network.latencyUs());
    if (bytes.length > 1 && network.chance(50)) {
      const cut = 1 + network.pieceAt(bytes.length - 1);
      other.#arriveLater(delayUs, bytes.subarray(0, cut), link);
      other.#arriveLater(delayUs, bytes.subarray(cut), link, letters);
      return;
    }
    other.#arriveLater(delayUs, bytes, link, letters);
  }

  #orderedDelay(delayUs: number): number {
    const now = this.#network.scheduler.nowUs;
    this.#lastArrivalUs = Math.max(this.#lastArrivalUs, now + delayUs);
    return this.#lastArrivalUs - now;
  }

  /**
   * @param link what the bytes come over; undefined: they are here already
   * @param letters what is whole when they come, where somebody listens
   */
  #arriveLater(delayUs: number, bytes: Uint8Array, link: SimLink | undefined, letters?: readonly Letter[]): void {
    const detail = bytes.length ^ ((bytes[bytes.length - 1] ?? 0) << 24) ^ ((bytes[bytes.length - 2] ?? 0) << 16);
    const delivery = new Delivery(this, bytes, link, letters);
    this.#network.scheduler.schedule(delayUs, eventKind.deliver, this.process, delivery, detail);
  }

  arrive({ bytes, link, letters }: Delivery): void {
    if (this.closed) return;
    // What was under way when the link was cut is lost, too.
    if (link?.isCut) {
      link.counters.dropped++;
      return;
    }
    if (letters !== undefined) arrived(letters, this.#network.scheduler.nowUs);
    if (this.#paused) this.#held.push(bytes);
    else this.#handlers?.data(bytes);
  }
}

/** Bytes under way: half of all events, hence no closure each. */
class Delivery {
  readonly to: SimConnection;
  readonly bytes: Uint8Array;
  readonly link: SimLink | undefined;
  readonly letters: readonly Letter[] | undefined;

  constructor(to: SimConnection, bytes: Uint8Array, link: SimLink | undefined, letters: readonly Letter[] | undefined) {
    this.to = to;
    this.bytes = bytes;
    this.link = link;
    this.letters = letters;
  }

  run(): void {
    this.to.arrive(this);
  }
}

function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
