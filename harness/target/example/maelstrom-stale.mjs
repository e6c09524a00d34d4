#!/usr/bin/env node
// maelstrom.mjs with a bug: a node remembers what it has seen of a key, and answers reads from that.
import { serve } from './maelstrom.mjs';

const seen = new Map();

serve(
  ({ type, key }) => (type === 'read' && seen.has(key) ? { type: 'read_ok', value: seen.get(key) } : undefined),
  ({ type, key, value }, answer) => {
    if (type === 'read' && answer.type === 'read_ok') seen.set(key, answer.value);
    if (type === 'write' && answer.type === 'write_ok') seen.set(key, value);
  },
);
