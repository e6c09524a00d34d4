import type { MessageRecord } from '../../store/schema.ts';
import { describe, type Operation, shorten } from '../operation.ts';
import { seconds } from './lanes.ts';
import { type SvgNode, svg } from './svg.ts';

export interface SequenceInput {
  readonly nodes: readonly string[];
  /** In the order in which they were sent. */
  readonly messages: readonly MessageRecord[];
  /** Of clients: each is shown at the node that it was sent to. */
  readonly operations: readonly Operation[];
  /** Invocation indices of those that cannot be. */
  readonly marked: ReadonlySet<number>;
  /** What else happened, a line each: a fault began, a node led. */
  readonly notes: readonly { readonly at: number; readonly text: string }[];
  /** What the picture says, for those who do not see it. */
  readonly title: string;
}

const width = 1100;
const timeWidth = 90;
/** On the right of the last node, for what its clients do. */
const wordsWidth = 240;
const step = 15;
const top = 40;

/** What happens at one moment; each has a row of its own. */
type Moment =
  | { readonly at: number; readonly type: 'sent'; readonly message: MessageRecord }
  | { readonly at: number; readonly type: 'arrived'; readonly message: MessageRecord }
  | { readonly at: number; readonly type: 'invoked'; readonly operation: Operation }
  | { readonly at: number; readonly type: 'completed'; readonly operation: Operation }
  | { readonly at: number; readonly type: 'note'; readonly text: string };

/**
 * Who said what to whom: a line a node, downwards in time, and an arrow a message. As in the lanes, rows follow the order
 * of events, not the clock. A message that never came ends half-way.
 */
export function drawSequence({ nodes, messages, operations, marked, notes, title }: SequenceInput): SvgNode {
  const moments: Moment[] = [
    ...notes.map(({ at, text }) => ({ at, type: 'note', text }) as const),
    ...operations.flatMap((operation): Moment[] => [
      { at: operation.start, type: 'invoked', operation },
      ...(operation.end === undefined ? [] : [{ at: operation.end, type: 'completed', operation } as const]),
    ]),
    ...messages.flatMap((message): Moment[] => [
      { at: message.sent, type: 'sent', message },
      ...(message.arrived === undefined ? [] : [{ at: message.arrived, type: 'arrived', message } as const]),
    ]),
  ].sort((a, b) => a.at - b.at);
  const height = top + moments.length * step + 20;
  const gap = (width - timeWidth - 60 - wordsWidth) / Math.max(1, nodes.length - 1);
  const placeOf = new Map(nodes.map((node, i) => [node, timeWidth + 60 + i * gap]));
  const shapes = nodes.flatMap((node): SvgNode[] => {
    const x = placeOf.get(node) ?? 0;
    return [
      svg('text', { class: 'strong', x, y: 18, 'text-anchor': 'middle' }, `node ${node}`),
      svg('line', { class: 'rule', x1: x, y1: 26, x2: x, y2: height - 8 }),
    ];
  });
  const sentAt = new Map<MessageRecord, number>();
  let shown = '';
  for (const [row, moment] of moments.entries()) {
    const y = top + row * step;
    const time = seconds(moment.at);
    if (time !== shown) shapes.push(svg('text', { class: 'quiet small', x: 4, y: y + 4 }, time));
    shown = time;
    if (moment.type === 'note') {
      shapes.push(svg('text', { class: 'small bandname', x: timeWidth, y: y + 4 }, shorten(moment.text, 120)));
    } else if (moment.type === 'sent') {
      sentAt.set(moment.message, y);
      if (moment.message.arrived === undefined) shapes.push(...arrow(moment.message, y, y + step / 2, placeOf));
    } else if (moment.type === 'arrived') {
      shapes.push(...arrow(moment.message, sentAt.get(moment.message) ?? y, y, placeOf));
    } else {
      const { operation } = moment;
      const x = placeOf.get(operation.node ?? '') ?? timeWidth;
      const words = `${operation.process}: ${describe(operation, { most: 24 })}`;
      const text = moment.type === 'invoked' ? `▸ ${words}` : `◂ ${words} ${operation.outcome}`;
      const looks = marked.has(operation.invoke) ? 'bad' : moment.type === 'invoked' ? 'info' : operation.outcome;
      shapes.push(
        svg('circle', { class: looks, cx: x, cy: y, r: 4 }),
        svg('text', { class: 'small strong', x: x + 8, y: y + 4 }, text),
      );
    }
  }
  return svg(
    'svg',
    { class: 'pic', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': title },
    svg('title', {}, title),
    ...shapes,
  );
}

function arrow(message: MessageRecord, fromY: number, toY: number, placeOf: ReadonlyMap<string, number>): SvgNode[] {
  const { from, to, arrived } = message;
  const x1 = placeOf.get(from);
  const end = placeOf.get(to);
  if (x1 === undefined || end === undefined) return [];
  const isLost = arrived === undefined;
  const x2 = isLost ? (x1 + end) / 2 : end;
  const way = Math.sign(x2 - x1);
  const head = isLost
    ? svg('text', { class: 'small bandname', x: x2, y: toY + 4, 'text-anchor': 'middle' }, '✕')
    : svg('path', { class: 'head', d: `M${x2} ${toY}l${-8 * way} -4v8z` });
  return [
    svg('line', { class: isLost ? 'fade' : 'edge', x1, y1: fromY, x2, y2: toY }),
    head,
    svg(
      'text',
      { class: 'quiet small', x: x1 + 8 * way, y: fromY - 3, 'text-anchor': way > 0 ? 'start' : 'end' },
      wordsOf(message),
    ),
  ];
}

/** `App 5+1 of term 2, commit 4`. What asks for something says nothing of terms. */
function wordsOf({ type, term, index, entries, commit, reject }: MessageRecord): string {
  const place = index === undefined ? '' : ` ${index}${entries === undefined ? '' : `+${entries}`}`;
  const known = commit === undefined ? '' : `, commit ${commit}`;
  const when = term === 0 ? '' : ` of term ${term}`;
  return `${type}${place}${when}${known}${reject === true ? ', rejected' : ''}`;
}
