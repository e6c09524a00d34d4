import { type MemoryStorage, type Message, NO_DATA, type SnapshotMetadata } from '../raft/index.ts';
import type { OpenedStorage } from '../storage/index.ts';
import { LogWriter, type Written } from './log-writer.ts';

export interface PersistenceParts {
  readonly storage: OpenedStorage;
  readonly memory: MemoryStorage;
  /** Puts a peer's snapshot, with which the log begins anew, in place of the state machine. False: the node has stopped. */
  readonly install: (metadata: SnapshotMetadata) => Promise<boolean>;
  /** It is in place. */
  readonly installed: (metadata: SnapshotMetadata) => void;
  /** A message that speaks of what is durable now. */
  readonly deliver: (message: Message) => void;
  /** The core has heard something. */
  readonly dirty: () => void;
  readonly fatal: (error: unknown) => void;
}

/** What the core wants durable: to the log, then into what the core reads, then the answers that waited for it. */
export class Persistence {
  readonly #parts: PersistenceParts;
  readonly #writer: LogWriter;
  /** While a snapshot is being installed: batches that became durable after it. */
  #behindSnapshot: Written[] | undefined;
  #stopped = false;

  constructor(parts: PersistenceParts) {
    this.#parts = parts;
    const { hardState } = parts.memory.initialState();
    this.#writer = new LogWriter(parts.storage.log, hardState, (written) => this.#written(written), parts.fatal);
  }

  get batches(): number {
    return this.#writer.batches;
  }

  get pending(): number {
    return this.#writer.pending;
  }

  /** @param message StorageAppend */
  add(message: Message): void {
    this.#writer.add(message);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** A batch is durable. What was written after a snapshot waits until that has been installed. */
  #written(written: Written): void {
    if (this.#stopped) return;
    if (this.#behindSnapshot !== undefined) this.#behindSnapshot.push(written);
    else if (written.snapshot === undefined) this.#takeIn(written);
    else {
      this.#behindSnapshot = [];
      this.#install(written.snapshot, written).catch(this.#parts.fatal);
    }
    this.#parts.dirty();
  }

  /** What is durable becomes what the core reads, before it hears that it is durable. */
  #takeIn({ entries, hardState, responses }: Written): void {
    const { memory, deliver } = this.#parts;
    if (entries.length > 0) memory.append(entries);
    if (hardState !== undefined) memory.setHardState(hardState);
    for (const response of responses) deliver(response);
  }

  /** The log begins anew after a peer's snapshot, durably: now the state machine does, too. */
  async #install(metadata: SnapshotMetadata, written: Written): Promise<void> {
    if (!(await this.#parts.install(metadata)) || this.#stopped) return;
    this.#parts.memory.applySnapshot({ metadata, data: NO_DATA });
    this.#parts.installed(metadata);
    this.#takeIn(written);
    const behind = this.#behindSnapshot ?? [];
    this.#behindSnapshot = undefined;
    for (const later of behind) this.#written(later);
    this.#parts.dirty();
  }
}
