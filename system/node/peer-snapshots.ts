import { invariant } from '../assert.ts';
import type { Message, RawNode, SnapshotMetadata } from '../raft/index.ts';
import type { OpenedStorage } from '../storage/index.ts';
import type { SnapshotSink, Transport } from '../transport/index.ts';
import type { Audit } from './audit.ts';
import type { LogSink } from './core.ts';
import type { Replica } from './replica.ts';

export interface PeerSnapshotsParts {
  readonly raw: RawNode;
  readonly storage: OpenedStorage;
  readonly replica: Replica;
  readonly audit: Audit | undefined;
  readonly log: LogSink;
  /** The core has heard something. */
  readonly dirty: () => void;
}

/** Snapshots that go to peers and come from them: what is sent, received, and put in place of the state machine. */
export class PeerSnapshots {
  readonly #parts: PeerSnapshotsParts;
  #isReceiving = false;
  #stopped = false;

  constructor(parts: PeerSnapshotsParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** @param message the core's, without the bytes */
  send(message: Message, transport: Transport): void {
    const { raw, storage, log, dirty } = this.#parts;
    const { snapshots } = storage;
    const metadata = message.snapshot?.metadata;
    invariant(metadata !== undefined, 'a snapshot message has a snapshot');
    if (metadata === undefined) return;
    log('info', 'snapshot-sending', { to: message.to, index: metadata.index });
    const release = snapshots.hold(metadata.index, metadata.term);
    const report = (sent: boolean) => {
      release();
      if (this.#stopped) return;
      log(sent ? 'info' : 'warn', 'snapshot-sent', { to: message.to, index: metadata.index, sent });
      raw.reportSnapshot(message.to, sent ? 'finished' : 'failed');
      dirty();
    };
    snapshots.open(metadata).then(
      (reader) => {
        if (reader === undefined || this.#stopped) return report(false);
        transport.sendSnapshot(message, reader, report);
      },
      (error: unknown) => {
        log('error', 'snapshot-unreadable', { message: String(error) });
        report(false);
      },
    );
  }

  /** One at a time: a second sender is refused, and tries again. */
  begins(message: Message): Promise<SnapshotSink> | undefined {
    const { raw, storage, replica, audit, dirty } = this.#parts;
    const metadata = message.snapshot?.metadata;
    if (metadata === undefined || this.#isReceiving || this.#stopped) return undefined;
    if (metadata.index <= replica.appliedIndex) {
      // Of no use, which its sender must hear, or it would be sent for ever: the core answers with how far its log goes.
      raw.step(message);
      dirty();
      return undefined;
    }
    this.#isReceiving = true;
    audit?.receive(metadata.index, metadata.term);
    audit?.flush();
    const over = () => {
      this.#isReceiving = false;
    };
    return storage.snapshots.create(metadata).then(
      (writer) => ({
        write: (chunk) => writer.write(chunk),
        finish: () => writer.finish(),
        abort: () => writer.abort().finally(over),
      }),
      (error: unknown) => {
        over();
        throw error;
      },
    );
  }

  /** All of it is durable here. */
  arrived(message: Message): void {
    this.#isReceiving = false;
    this.#parts.log('info', 'snapshot-received', { from: message.from, index: message.snapshot?.metadata.index });
  }

  /** Reads a peer's snapshot, with which the log begins anew, into the state machine. @returns false: the node has stopped */
  async install(metadata: SnapshotMetadata): Promise<boolean> {
    const { storage, replica, audit, log } = this.#parts;
    const { index, term } = metadata;
    const reader = await storage.snapshots.open(metadata);
    invariant(reader !== undefined, 'an installed snapshot has a file', () => ({ index }));
    if (reader === undefined) return false;
    try {
      await replica.restore(term, () => reader.next());
    } finally {
      await reader.close();
    }
    if (this.#stopped) return false;
    audit?.snapshot(index, term, replica.store.hash());
    audit?.flush();
    log('info', 'snapshot-installed', { index, term });
    return true;
  }
}
