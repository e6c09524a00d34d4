import type { Address, Clock, Connection, PortError, Timer, TlsIdentity } from '../ports.ts';
import type { Message } from '../raft/index.ts';
import { encodeFrame, encodeHandshake, type Frame, FrameError, frameKind, type Handshake } from './frame.ts';
import { decodeMessage, encodeMessage } from './message-codec.ts';
import type { PeerPorts } from './peer.ts';

/** The sender waits when so much has not been taken. */
const unsentBytesMax = 4 * 1024 * 1024;
/** The receiver stops reading when so many chunks wait for its disk. */
const chunksWaitingMax = 4;
/** A stream in which nothing moves for so long is given up by its sender. */
const stalledMsMax = 30_000;
/** And much sooner by its receiver, when it waits for nothing but the next chunk: until then it takes no other. */
const silentMsMax = 5000;

/** Where the pieces of a snapshot come from, in order; undefined at the end. */
export interface SnapshotSource {
  next(): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

/** Where they go. */
export interface SnapshotSink {
  write(chunk: Uint8Array): Promise<void>;
  /** All is there: makes it durable. */
  finish(): Promise<void>;
  abort(): Promise<void>;
}

/**
 * Sends one snapshot over a connection of its own: its message, numbered chunks, an empty chunk at the end. The
 * receiver closes orderly once it has all of it on its disk, and breaks off otherwise.
 */
export function sendSnapshot(
  ports: PeerPorts,
  handshake: Handshake,
  address: Address,
  tls: TlsIdentity | undefined,
  message: Message,
  source: SnapshotSource,
  done: (sent: boolean) => void,
): { readonly cancel: () => void } {
  let over = false;
  let sentAll = false;
  let wakeUp: (() => void) | undefined;
  let progressMs = ports.clock.monotonicMs();
  const connection = ports.network.connect(
    address,
    {
      data: () => connection.destroy(),
      drained: () => {
        progressMs = ports.clock.monotonicMs();
        wakeUp?.();
      },
      closed: (error) => {
        over = true;
        watchdog.cancel();
        wakeUp?.();
        void source.close();
        done(sentAll && error === undefined);
      },
    },
    tls,
  );
  let watchdog = ports.clock.setTimer(stalledMsMax, function check() {
    if (ports.clock.monotonicMs() - progressMs > stalledMsMax) connection.destroy();
    else watchdog = ports.clock.setTimer(stalledMsMax, check);
  });
  const pump = async () => {
    connection.write([encodeHandshake(handshake), encodeMessage(message, frameKind.snapshotStart)]);
    for (let sequence = 0; !over; sequence++) {
      if (connection.bufferedBytes > unsentBytesMax) {
        await new Promise<void>((resolve) => {
          wakeUp = resolve;
        });
        wakeUp = undefined;
        if (over) return;
      }
      const chunk = await source.next();
      if (over) return;
      connection.write([encodeChunk(sequence, chunk ?? new Uint8Array(0))]);
      progressMs = ports.clock.monotonicMs();
      if (chunk === undefined) {
        sentAll = true;
        return;
      }
    }
  };
  pump().catch(() => connection.destroy());
  return { cancel: () => connection.destroy() };
}

function encodeChunk(sequence: number, bytes: Uint8Array): Uint8Array {
  const payload = new Uint8Array(4 + bytes.length);
  new DataView(payload.buffer).setUint32(0, sequence, true);
  payload.set(bytes, 4);
  return encodeFrame(frameKind.snapshotChunk, payload);
}

/**
 * Takes a snapshot off a connection into a sink.
 * @param begin opens the sink; undefined: not wanted now
 * @param received the snapshot is durable
 */
export function receiveSnapshot(
  clock: Clock,
  connection: Connection,
  begin: (message: Message) => Promise<SnapshotSink> | undefined,
  received: (message: Message) => void,
  failed: (error: PortError | Error) => void,
): { readonly frame: (frame: Frame) => void; readonly closed: () => void } {
  let message: Message | undefined;
  let next = 0;
  let sink: SnapshotSink | undefined;
  let waiting: (Uint8Array | 'end')[] = [];
  let working = false;
  let over = false;
  let silence: Timer | undefined;

  const fail = (error: Error) => {
    silence?.cancel();
    if (over) return;
    over = true;
    waiting = [];
    failed(error);
    connection.destroy();
    // While a write is under way, the worker itself cleans up after it.
    if (!working) void sink?.abort().catch(failed);
  };

  const work = async (opening: Promise<SnapshotSink> | undefined) => {
    working = true;
    silence?.cancel();
    try {
      if (opening !== undefined) sink = await opening;
      while (!over && waiting.length > 0) {
        const chunk = waiting.shift()!;
        if (waiting.length < chunksWaitingMax) connection.resume();
        if (chunk !== 'end') {
          await sink!.write(chunk);
          continue;
        }
        await sink!.finish();
        // All of it is there, also when the connection broke meanwhile; whoever waits for its end must hear of it.
        over = true;
        received(message!);
        connection.end();
        return;
      }
      if (over) await sink?.abort();
    } catch (error) {
      working = false;
      fail(error instanceof Error ? error : new Error(String(error)));
    } finally {
      working = false;
      if (!over) {
        silence = clock.setTimer(silentMsMax, () => fail(new Error(`no more of the snapshot for ${silentMsMax} ms`)));
      }
    }
  };

  return {
    frame(frame) {
      if (over || frame.kind === frameKind.ping) return;
      if (message === undefined) {
        if (frame.kind !== frameKind.snapshotStart)
          throw new FrameError(`a frame of kind ${frame.kind} before a snapshot`);
        message = decodeMessage(frame.payload);
        if (message.snapshot === undefined) throw new FrameError('a snapshot message without a snapshot');
        const opening = begin(message);
        if (opening === undefined) fail(new Error('no snapshot is wanted now'));
        else void work(opening);
        return;
      }
      if (frame.kind !== frameKind.snapshotChunk || frame.payload.length < 4) {
        throw new FrameError(`a frame of kind ${frame.kind} inside a snapshot`);
      }
      const { buffer, byteOffset } = frame.payload;
      const sequence = new DataView(buffer, byteOffset).getUint32(0, true);
      if (sequence !== next) throw new FrameError(`chunk ${sequence} of a snapshot, expected ${next}`);
      next++;
      waiting.push(frame.payload.length === 4 ? 'end' : frame.payload.subarray(4));
      if (waiting.length >= chunksWaitingMax) connection.pause();
      if (!working) void work(undefined);
    },
    closed: () => fail(new Error('the connection ended in the middle of a snapshot')),
  };
}
