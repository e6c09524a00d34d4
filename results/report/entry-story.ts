import type { Anomaly } from '../../checker/verdict.ts';
import { commandText } from './evidence-blocks.ts';
import { seconds } from './picture/lanes.ts';
import type { Block, Scene, SpecialBlocks } from './story.ts';

const kinds = new Set(['log-divergence', 'state-divergence', 'term-regression', 'gap', 'applied-again']);

/** Something is wrong at one index of the log: what each node applied there, whose command it was, and what its client was told. */
export function entryBlocks({ kind, message, evidence }: Anomaly, scene: Scene): SpecialBlocks | undefined {
  const { index, node, term, committedWithTerm, other } = evidence;
  if (!kinds.has(kind) || typeof index !== 'number') return undefined;
  const rows: string[][] = [];
  const operations = new Set<NonNullable<ReturnType<Scene['byOp']['get']>>>();
  for (const { node: name, records } of scene.audits) {
    const found = records.filter((record) => record.type === 'apply' && record.index === index);
    for (const record of found) {
      if (record.type !== 'apply') continue;
      const operation = record.op === undefined ? undefined : scene.byOp.get(record.op);
      if (operation !== undefined) operations.add(operation);
      rows.push([
        name,
        String(record.term),
        record.effect,
        operation === undefined ? (record.op ?? 'none of a client') : commandText(operation),
        operation === undefined ? '' : clientTold(operation),
        record.hash,
      ]);
    }
    if (found.length === 0) rows.push([name, '', 'not applied', '', '', '']);
  }
  const before: Block[] =
    rows.length === 0
      ? []
      : [
          {
            type: 'table',
            title: `What each node applied at index ${index}`,
            columns: ['node', 'term', 'effect', 'command', 'its client was told', 'state after it'],
            rows,
          },
        ];
  const seen =
    kind === 'log-divergence' && typeof committedWithTerm === 'number'
      ? `node ${node} has an entry of term ${term} at index ${index}, where an entry of term ${committedWithTerm} was committed`
      : kind === 'state-divergence' && typeof other === 'string'
        ? `nodes ${node} and ${other} have applied the same entries up to index ${index} and hold different states`
        : undefined;
  return {
    ...(seen !== undefined && /[{"]/.test(message) && { message: seen }),
    operations: [...operations].sort((a, b) => a.invoke - b.invoke),
    marked: [],
    before,
    after: [],
    used: new Set(),
  };
}

function clientTold({ outcome, node, end, error }: NonNullable<ReturnType<Scene['byOp']['get']>>): string {
  const by = node === undefined ? '' : ` by node ${node}`;
  if (end === undefined) return 'nothing yet';
  const what = outcome === 'ok' ? 'acknowledged' : outcome === 'fail' ? 'failed' : 'unknown';
  return `${what}${by} at ${seconds(end)}${error === undefined ? '' : `: ${error}`}`;
}
