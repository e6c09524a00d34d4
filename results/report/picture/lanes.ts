import type { Value } from '../../../checker/history/op.ts';
import { describeFault, type FaultSpan } from '../fault-span.ts';
import { describe, type Operation, shorten } from '../operation.ts';
import { placeEvents } from './place-events.ts';
import { type SvgNode, svg } from './svg.ts';

/** The operations that a story is about. */
export interface Cast {
  readonly operations: readonly Operation[];
  /** Invocation indices of those that cannot be. */
  readonly marked: ReadonlySet<number>;
  /** What the story calls them, by invocation index: `T1`. */
  readonly names: ReadonlyMap<number, string>;
  /** The keys that it is about: a picture shows a transaction's steps on these. */
  readonly keys: readonly Value[];
}

export interface LanesInput extends Cast {
  readonly faults: readonly FaultSpan[];
  /** The operations' times mean something; otherwise only their order does. */
  readonly timed: boolean;
  /** What the picture says, for those who do not see it. */
  readonly title: string;
}

const widthMin = 1100;
/** A label wider than this is cut; its tooltip and the table have it whole. */
const labelMax = 300;
const stepMin = 14;
const gutter = 92;
const laneHeight = 34;
const characterWidth = 7.3;

/**
 * Operations as bars, a lane a process, in the order of their events rather than by the clock: events that are
 * microseconds and seconds apart become equally easy to see. One of unknown outcome fades to the right edge.
 */
export function drawLanes(input: LanesInput): SvgNode {
  const { operations, faults, timed, title } = input;
  // In the order in which they come into the story.
  const processes = [...new Set(operations.map((operation) => operation.process))];
  const { place, width } = eventScale(input);
  const bands = bandsOf(operations, faults, place, width);
  const top = 22 + bands.length * 16;
  const height = top + processes.length * laneHeight + 26;
  const shapes: SvgNode[] = [];
  for (const [row, band] of bands.entries()) {
    const y = 12 + row * 16;
    shapes.push(
      svg('rect', { class: 'band', x: band.from, y, width: band.to - band.from, height: height - y - 22 }),
      svg('line', { class: 'bandedge', x1: band.from, y1: y, x2: band.from, y2: height - 22 }),
      svg('line', { class: 'bandedge', x1: band.to, y1: y, x2: band.to, y2: height - 22 }),
      svg('text', { class: 'small bandname', x: band.from + 4, y: y + 11 }, fit(band.name, width - band.from - 8)),
    );
  }
  for (const [row, process] of processes.entries()) {
    const y = top + row * laneHeight;
    shapes.push(
      svg('text', { class: 'quiet small', x: 4, y: y + 20 }, `process ${process}`),
      svg('line', { class: 'rule', x1: gutter, y1: y + laneHeight, x2: width, y2: y + laneHeight }),
    );
  }
  for (const operation of operations) {
    const y = top + processes.indexOf(operation.process) * laneHeight + 6;
    shapes.push(bar(operation, input, y, place, width));
  }
  const times = operations.map((operation) => operation.start);
  const first = Math.min(...times);
  const last = Math.max(...operations.map((operation) => operation.end ?? operation.start));
  shapes.push(
    ...(timed
      ? [
          svg('text', { class: 'quiet small', x: gutter, y: height - 6 }, `${seconds(first)} →`),
          svg(
            'text',
            { class: 'quiet small', x: width - 4, y: height - 6, 'text-anchor': 'end' },
            `→ ${seconds(last)}`,
          ),
        ]
      : []),
    svg(
      'text',
      { class: 'quiet small', x: (gutter + width) / 2, y: height - 6, 'text-anchor': 'middle' },
      'in order of events; the widths are not to scale',
    ),
  );
  return svg(
    'svg',
    { class: 'pic', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': title },
    svg('title', {}, title),
    svg('rect', { class: 'back', x: 0, y: 0, width, height }),
    ...shapes,
  );
}

function bar(
  operation: Operation,
  input: LanesInput,
  y: number,
  place: (index: number) => number,
  width: number,
): SvgNode {
  const from = place(operation.invoke);
  const marked = input.marked.has(operation.invoke);
  const ends = operation.complete === undefined ? undefined : place(operation.complete);
  const to = Math.max(ends ?? width - 6, from + 8);
  const parts: SvgNode[] = [
    svg('title', {}, tooltip(operation, input.timed)),
    svg('rect', {
      class: `op ${operation.outcome}${marked ? ' bad' : ''}`,
      x: from,
      y,
      width: to - from,
      height: 22,
    }),
  ];
  if (operation.outcome === 'info' && to < width - 6) {
    parts.push(svg('line', { class: 'fade', x1: to, y1: y + 11, x2: width - 4, y2: y + 11 }));
  }
  const name = labelOf(operation, input);
  const room = to - from - 8;
  const inside = fit(name, room);
  parts.push(
    svg(
      'text',
      { class: marked ? 'strong' : 'small', x: from + 5, y: y + 15 },
      inside.length >= 6 || inside === name ? inside : '',
    ),
  );
  return svg(
    'g',
    { class: 'barof', tabindex: 0, role: 'img', 'aria-label': tooltip(operation, input.timed) },
    ...parts,
  );
}

/** What is written on an operation's bar. */
export function labelOf(operation: Operation, { marked, names, keys }: Cast): string {
  const sign = operation.outcome === 'fail' ? ' ✗' : operation.outcome === 'info' ? ' ?' : '';
  const name = names.get(operation.invoke);
  return `${marked.has(operation.invoke) ? '▶ ' : ''}${name === undefined ? '' : `${name}: `}${describe(operation, { keys })}${sign}`;
}

function eventScale(input: LanesInput): { place: (index: number) => number; width: number } {
  const room = (operation: Operation): number =>
    Math.min(labelOf(operation, input).length * characterWidth + 12, labelMax);
  const { places, end } = placeEvents(input.operations, room, stepMin);
  // Room at the right for those that never end.
  const stretch = Math.max(1, (widthMin - gutter - 70) / Math.max(end, 1));
  const width = Math.ceil(Math.max(widthMin, gutter + 70 + end));
  return { place: (index) => gutter + 8 + (places.get(index) ?? end) * stretch, width };
}

interface Band {
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

const bandsMax = 6;

function bandsOf(
  operations: readonly Operation[],
  faults: readonly FaultSpan[],
  place: (index: number) => number,
  width: number,
): Band[] {
  const events = operations
    .flatMap(({ invoke, complete, start, end }) =>
      complete === undefined || end === undefined
        ? [{ index: invoke, time: start }]
        : [
            { index: invoke, time: start },
            { index: complete, time: end },
          ],
    )
    .sort((a, b) => a.index - b.index);
  const first = events[0];
  const last = events.at(-1);
  if (first === undefined || last === undefined) return [];
  const xOf = (time: number): number => {
    const after = events.find((event) => event.time >= time);
    return after === undefined ? width - 6 : after === first ? gutter : place(after.index) - 6;
  };
  return faults
    .filter((fault) => fault.start <= last.time && (fault.end ?? Number.POSITIVE_INFINITY) >= first.time)
    .slice(0, bandsMax)
    .map((fault) => {
      const from = xOf(fault.start);
      return {
        from,
        to: Math.max(from + 6, fault.end === undefined ? width - 6 : xOf(fault.end)),
        name: describeFault(fault),
      };
    });
}

/** The facts of an operation on one line. */
function tooltip(operation: Operation, timed: boolean): string {
  const { process, key, outcome, error, node, start, end, invoke, complete } = operation;
  const parts = [
    describe(operation),
    ...(key === undefined ? [] : [`key ${shorten(JSON.stringify(key), 80)}`]),
    `process ${process}`,
    outcome === 'ok' ? 'ok' : outcome === 'fail' ? 'failed' : 'outcome unknown',
    ...(error === undefined ? [] : [shorten(error, 120)]),
    ...(node === undefined ? [] : [`node ${node}`]),
    ...(timed
      ? [end === undefined ? `from ${seconds(start)}, never completed` : `${seconds(start)} to ${seconds(end)}`]
      : end === undefined
        ? ['never completed']
        : []),
    `history ${invoke}${complete === undefined ? '' : `–${complete}`}`,
  ];
  return parts.join(' · ');
}

/** `12.345 s` from nanoseconds. */
export function seconds(nanoseconds: number): string {
  return `${(nanoseconds / 1e9).toFixed(3)} s`;
}

function fit(text: string, room: number): string {
  const most = Math.max(0, Math.floor(room / characterWidth));
  return text.length <= most ? text : most < 3 ? '' : `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
