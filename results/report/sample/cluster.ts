import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Op } from '../../../checker/history/op.ts';
import { files } from '../../store/layout.ts';
import type { Fault } from '../../store/schema.ts';

/** What was done to the cluster. */
export function sampleFaults(end: number): Fault[] {
  const list: Fault[] = [];
  const kinds = [
    {
      kind: 'partition',
      variant: 'halves',
      nodes: ['1', '2'],
      links: [
        { from: '1', to: '3' },
        { from: '3', to: '1' },
        { from: '2', to: '3' },
      ],
      mechanism: 'tcp-proxy',
      proof: { framesDropped: 118 },
    },
    { kind: 'pause', variant: 'one', nodes: ['3'], mechanism: 'sigstop', proof: { pid: 4711, state: 'T' } },
    {
      kind: 'kill',
      variant: 'majority',
      nodes: ['1', '4', '5'],
      mechanism: 'sigkill',
      proof: { pid: 4712, gone: true },
    },
    { kind: 'clock', variant: 'drift', nodes: ['2'], mechanism: 'preload-clock', proof: { wallAheadMs: 30_000 } },
  ];
  let id = 0;
  for (let at = 5e9; at + 5e9 < end; at += 7.5e9) {
    const { kind, variant, nodes, links, mechanism, proof } =
      kinds[id % kinds.length] ?? (kinds[0] as (typeof kinds)[0]);
    const effects = nodes.map((node) => ({ effect: 'proven' as const, mechanism, proof, node }));
    const base = { kind, variant, id: id++, nodes, ...(links !== undefined && { links }), effects };
    list.push({ ...base, phase: 'start', time: at, doneTime: at + 3e6 });
    list.push({ ...base, phase: 'end', time: at + 5e9, doneTime: at + 5e9 + 4e6 });
  }
  return list;
}

/** What a node left: its log, its audit, its starts and ends. */
export function writeNode(folder: string, node: string, history: readonly Op[]): void {
  const started = Date.parse('2026-11-22T16:00:00.000Z');
  const line = (ms: number, fields: object): string =>
    JSON.stringify({ level: 30, time: started + ms, node, ...fields });
  const log = [line(0, { event: 'listening', clientPort: 20000 + Number(node), peerPort: 21000 + Number(node) })];
  const audit: object[] = [{ type: 'start', node, incarnation: `${node}-1`, applied: 0 }];
  for (let term = 1; term <= 6; term++) {
    const at = term * 9000 - 8800;
    const leader = String(1 + ((term * 2) % 5));
    if (leader === node) {
      log.push(line(at, { event: 'leader', leader, term }));
      audit.push({ type: 'leader', node, term });
    } else log.push(line(at + 20, { event: 'leader', leader, term }));
    for (let beat = 1; beat < 9; beat++)
      log.push(line(at + beat * 1000, { event: 'applied', index: term * 100 + beat, term }));
  }
  let index = 0;
  for (const op of history) {
    if (op.type === 'invoke' && op.f !== 'read')
      audit.push({
        type: 'apply',
        index: ++index,
        term: 1,
        ...(op.op !== undefined && { op: op.op }),
        effect: 'applied',
        hash: `h${index}`,
      });
  }
  const exits = [
    { type: 'start', time: -2e8, pid: 4000 + Number(node) },
    ...(['1', '4', '5'].includes(node)
      ? [
          {
            type: 'exit',
            time: 20.003e9,
            pid: 4000 + Number(node),
            ordered: true,
            code: null,
            signal: 'SIGKILL',
            lastLogLines: [],
          },
          { type: 'start', time: 25e9, pid: 5000 + Number(node) },
        ]
      : []),
  ];
  writeFileSync(join(folder, files.exits), `${exits.map((record) => JSON.stringify(record)).join('\n')}\n`);
  writeFileSync(join(folder, files.log), `${log.join('\n')}\n`);
  writeFileSync(join(folder, files.audit), `${audit.map((record) => JSON.stringify(record)).join('\n')}\n`);
}
