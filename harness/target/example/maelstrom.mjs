#!/usr/bin/env node
// A program that speaks Maelstrom's protocol: lin-kv and txn-list-append. The first node is the primary for ever, and
// the others pass on to it what they are asked: linearizable, and of no use while they cannot reach it.
//
//   splitbrain test --target maelstrom-lin-kv --bin harness/target/example/maelstrom.mjs
import { createInterface } from 'node:readline';

let self;
let primary;
let lastId = 0;
const data = new Map();
/** Whom to answer when the primary answers, by the id of our question to it. */
const asked = new Map();
/** The primary's answers to the other nodes: the network may bring a question twice, which must take effect once. */
const answered = new Map();

const send = (dest, body) => process.stdout.write(`${JSON.stringify({ src: self, dest, body })}\n`);

/** What the primary answers. Nothing comes in between: a program reads one line at a time. */
function apply({ type, key, value, from, to, txn }) {
  if (type === 'read') {
    return data.has(key) ? { type: 'read_ok', value: data.get(key) } : { type: 'error', code: 20, text: 'no such key' };
  }
  if (type === 'write') {
    data.set(key, value);
    return { type: 'write_ok' };
  }
  if (type === 'cas') {
    if (!data.has(key)) return { type: 'error', code: 20, text: 'no such key' };
    if (data.get(key) !== from) return { type: 'error', code: 22, text: `it holds ${data.get(key)}` };
    data.set(key, to);
    return { type: 'cas_ok' };
  }
  if (type !== 'txn') return { type: 'error', code: 10, text: `no such function: ${type}` };
  return {
    type: 'txn_ok',
    txn: txn.map(([f, key, value]) => {
      if (f === 'r') return [f, key, data.get(key) ?? null];
      data.set(key, [...(data.get(key) ?? []), value]);
      return [f, key, value];
    }),
  };
}

/** @param answerAtOnce may answer a question without the primary; see maelstrom-stale.mjs */
export function serve(answerAtOnce = () => undefined, learn = () => {}) {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { src, body } = JSON.parse(line);
    if (body.type === 'init') {
      self = body.node_id;
      primary = body.node_ids[0];
      return send(src, { type: 'init_ok', in_reply_to: body.msg_id });
    }
    const question = asked.get(body.in_reply_to);
    if (question !== undefined) {
      asked.delete(body.in_reply_to);
      learn(question.body, body);
      return send(question.src, { ...body, in_reply_to: question.body.msg_id });
    }
    if (body.in_reply_to !== undefined) return; // Answered already: the network repeats messages, too.
    if (self === primary) {
      const id = `${src} ${body.msg_id}`;
      if (!answered.has(id)) answered.set(id, apply(body));
      return send(src, { ...answered.get(id), in_reply_to: body.msg_id });
    }
    const known = answerAtOnce(body);
    if (known !== undefined) return send(src, { ...known, in_reply_to: body.msg_id });
    lastId++;
    asked.set(lastId, { src, body });
    send(primary, { ...body, msg_id: lastId });
  });
}

if (process.argv[1]?.endsWith('maelstrom.mjs')) serve();
