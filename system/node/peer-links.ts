import type { Clock } from '../ports.ts';
import type { Transport } from '../transport/index.ts';
import { addressOf, type NodeConfig } from './config.ts';
import type { Membership } from './membership.ts';

/** A removed peer still gets what was on its way to it, so that it learns of its removal. */
const farewellMs = 1000;

/** Keeps the transport's peers to what the membership says. */
export class PeerLinks {
  readonly #clock: Clock;
  readonly #config: NodeConfig;
  readonly #membership: Membership;
  readonly #transport: Transport;

  constructor(clock: Clock, config: NodeConfig, membership: Membership, transport: Transport) {
    this.#clock = clock;
    this.#config = config;
    this.#membership = membership;
    this.#transport = transport;
  }

  /** Addresses from the flags serve until the replicated membership says otherwise. */
  start(): void {
    this.#config.cluster.forEach((url, at) => {
      if (!this.#membership.isRemoved(at + 1)) this.#set(at + 1, url);
    });
  }

  /** Talks to whom the membership names, and says goodbye to who left. */
  follow(): void {
    for (const { id, url } of this.#membership.members) this.#set(id, url);
    for (const id of this.#transport.peers) {
      if (!this.#membership.isRemoved(id)) continue;
      this.#clock.setTimer(farewellMs, () => this.#transport.removePeer(id));
    }
  }

  #set(id: number, url: string): void {
    const address = addressOf(url);
    if (id !== this.#config.id && address !== undefined) this.#transport.setPeer(id, address);
  }
}
