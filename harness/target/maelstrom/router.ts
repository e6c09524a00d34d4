import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Disturbance, Effect, Link, NodeId } from '../../../nemesis/world.ts';
import { DelayLine } from '../../cluster/delay-line.ts';
import { DisturbanceProver } from '../../cluster/disturbance-proof.ts';
import { LinkTable } from '../../cluster/links.ts';
import { type Body, type Message, nodeNotFound, parseMessage } from './message.ts';

/** A program that does not read (it may be paused) must not fill the harness's memory: more is lost, as in a network. */
const waitingBytesMax = 16 << 20;
/** How long a message is held that is to be overtaken. */
const overtakenMs = 50;
const proofTimeoutMs = 2000;

/**
 * The network of Maelstrom's programs: what one writes for another goes through here, and may be dropped, late,
 * repeated or overtaken on its way. Clients are not cut off.
 */
export class Router {
  readonly mechanism = 'router';
  readonly #links: LinkTable;
  readonly #disturbances: DisturbanceProver;
  readonly #inputs = new Map<NodeId, Writable>();
  readonly #lines = new Map<string, DelayLine>();
  readonly #waiting = new Map<string, (body: Body) => void>();
  readonly #complain: (line: string) => void;
  #messageLast = 0;

  /** @param complain is told of what a program wrote that is no message */
  constructor(
    random: (bound: number) => number,
    isUp: (node: NodeId) => boolean,
    complain: (line: string) => void = () => {},
  ) {
    this.#links = new LinkTable(random);
    this.#links.watchDisturbances(() => {
      for (const line of this.#lines.values()) line.expedite();
    });
    this.#disturbances = new DisturbanceProver(this.#links, isUp);
    this.#complain = complain;
  }

  /** A program has begun to run as that node. */
  attach(node: NodeId, output: Readable, input: Writable): void {
    this.#inputs.set(node, input);
    createInterface({ input: output }).on('line', (line) => {
      const message = parseMessage(line);
      if (message === undefined) this.#complain(`node ${node} wrote what is no message: ${line.slice(0, 200)}`);
      else this.#take(node, message);
    });
  }

  /**
   * Asks a node as a client.
   * @param client `c1` …; it asks one thing at a time
   * @returns what it answered; undefined when it did not in that time
   */
  ask(node: NodeId, client: string, body: Body, timeoutMs: number): Promise<Body | undefined> {
    const id = ++this.#messageLast;
    const key = `${client} ${id}`;
    return new Promise((resolve) => {
      const settle = (answer: Body | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(key);
        resolve(answer);
      };
      const timer = setTimeout(() => settle(undefined), timeoutMs);
      this.#waiting.set(key, settle);
      this.#write(node, { src: client, dest: `n${node}`, body: { ...body, msg_id: id } });
    });
  }

  /**
   * Cuts exactly these links. Nothing can go another way, so that a link on which nothing was tried is not refuted:
   * proven is what was dropped.
   */
  async cut(links: readonly Link[]): Promise<Effect> {
    const before = links.map((link) => this.#links.counts(link.from, link.to));
    this.#links.cut(links);
    const since = (what: 'dropped' | 'passed') =>
      links.reduce((sum, { from, to }, at) => sum + this.#links.counts(from, to)[what] - (before[at]?.[what] ?? 0), 0);
    const waitedMs = await this.#links.until(() => links.length === 0 || since('dropped') > 0, proofTimeoutMs);
    const [dropped, passed] = [since('dropped'), since('passed')];
    return {
      effect: passed > 0 ? 'ineffective' : dropped > 0 ? 'proven' : 'moot',
      mechanism: this.mechanism,
      proof: { linksCut: links.length, dropped, passed, waitedMs: Math.round(waitedMs) },
    };
  }

  /** As with cuts, what did not show for want of messages is not refuted. */
  async disturb(links: readonly Link[], disturbance: Disturbance): Promise<Effect> {
    const seen = await this.#disturbances.disturb(links, disturbance, this.mechanism);
    return seen.effect === 'ineffective' ? { ...seen, effect: 'moot' } : seen;
  }

  close(): void {
    for (const line of this.#lines.values()) line.close();
  }

  #take(from: NodeId, message: Message): void {
    const { dest, body } = message;
    if (dest.startsWith('c')) {
      this.#waiting.get(`${dest} ${body.in_reply_to}`)?.(body);
      return;
    }
    const to = dest.slice(1);
    if (this.#inputs.has(to) && dest.startsWith('n')) {
      if (from === to) this.#write(to, message);
      else this.#send(from, to, message);
      return;
    }
    const text = `there is no ${dest} in this network`;
    const answer = { type: 'error', code: nodeNotFound, text, in_reply_to: body.msg_id };
    this.#write(from, { src: dest, dest: message.src, body: answer });
  }

  #send(from: NodeId, to: NodeId, message: Message): void {
    if (!this.#links.admit(from, to)) return;
    const line = this.#lineOf(from, to);
    const bytes = new TextEncoder().encode(JSON.stringify(message));
    if (line.waitingBytes > this.#links.waitingBytesMax(from, to)) {
      this.#links.count(from, to, 'lost'); // Nobody here waits for room.
      return;
    }
    const fate = this.#links.fate(from, to, false, bytes.length) ?? { copies: 1, delayMs: 0, overtaken: false };
    if (fate.copies === 0) this.#links.count(from, to, 'lost');
    if (fate.copies === 2) this.#links.count(from, to, 'duplicated');
    for (let copy = 0; copy < fate.copies; copy++) {
      if (fate.delayMs === 0 && !fate.overtaken && line.isEmpty) this.#write(to, message);
      else line.put(bytes, fate.delayMs + (fate.overtaken ? overtakenMs : 0), fate.overtaken);
    }
  }

  #lineOf(from: NodeId, to: NodeId): DelayLine {
    const name = `${from}>${to}`;
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = new DelayLine((bytes, { heldMs, wasOvertaken }) => {
        if (heldMs >= 1) this.#links.count(from, to, 'delayed');
        if (wasOvertaken) this.#links.count(from, to, 'overtaken');
        const message = parseMessage(new TextDecoder().decode(bytes));
        if (message !== undefined && !this.#links.isCut(from, to)) this.#write(to, message);
      });
      this.#lines.set(name, line);
    }
    return line;
  }

  #write(to: NodeId, message: Message): void {
    const input = this.#inputs.get(to);
    if (input === undefined || !input.writable || input.writableLength > waitingBytesMax) return;
    input.write(`${JSON.stringify(message)}\n`);
  }
}
