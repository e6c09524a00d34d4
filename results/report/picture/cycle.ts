import { shorten } from '../operation.ts';
import { type SvgNode, svg } from './svg.ts';

/** A cycle of transactions: `from` must come before `to`, for the reason that `kind` names. */
export interface CycleEdge {
  readonly from: string;
  readonly to: string;
  /** `ww`, `wr`, `rw`, `process`, `realtime`. */
  readonly kind: string;
  /** Written beside the edge. */
  readonly label: string;
}

export interface CycleVertex {
  readonly name: string;
  /** Written beside its name. */
  readonly note: string;
  readonly lines: readonly string[];
}

const width = 900;
const boxWidth = 270;
const characterWidth = 6.7;

/** Transactions on a circle (two above each other), dependencies as curved arrows between them. */
export function drawCycle(vertices: readonly CycleVertex[], edges: readonly CycleEdge[], title: string): SvgNode {
  const boxHeight = 30 + 16 * Math.max(1, ...vertices.map((vertex) => vertex.lines.length));
  const count = vertices.length;
  const radiusX = width / 2 - boxWidth / 2 - 20;
  const radiusY = count <= 2 ? boxHeight / 2 + 60 : Math.max(130, boxHeight + count * 22);
  const height = 2 * radiusY + boxHeight + 40;
  const center = { x: width / 2, y: height / 2 };
  const at = new Map(
    vertices.map((vertex, i) => {
      const angle = (2 * Math.PI * i) / count - Math.PI / 2;
      return [
        vertex.name,
        { x: center.x + (count <= 2 ? 0 : radiusX * Math.cos(angle)), y: center.y + radiusY * Math.sin(angle) },
      ];
    }),
  );
  const shapes: SvgNode[] = [];
  for (const edge of edges) {
    const from = at.get(edge.from);
    const to = at.get(edge.to);
    if (from === undefined || to === undefined) continue;
    shapes.push(...arrow(from, to, edge, boxHeight));
  }
  for (const vertex of vertices) {
    const { x, y } = at.get(vertex.name) ?? center;
    const left = x - boxWidth / 2;
    shapes.push(
      svg('rect', { class: 'vertex', x: left, y: y - boxHeight / 2, width: boxWidth, height: boxHeight }),
      svg('text', { class: 'strong', x: left + 10, y: y - boxHeight / 2 + 19 }, vertex.name),
      svg(
        'text',
        { class: 'quiet small', x: left + boxWidth - 10, y: y - boxHeight / 2 + 19, 'text-anchor': 'end' },
        shorten(vertex.note, 30),
      ),
      ...vertex.lines.map((line, i) =>
        svg('text', { class: 'small', x: left + 10, y: y - boxHeight / 2 + 37 + 16 * i }, clip(line)),
      ),
    );
  }
  return svg(
    'svg',
    { class: 'pic', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': title },
    svg('title', {}, title),
    svg(
      'defs',
      {},
      svg(
        'marker',
        {
          id: 'arrowhead',
          viewBox: '0 0 10 10',
          refX: 9,
          refY: 5,
          markerWidth: 7,
          markerHeight: 7,
          orient: 'auto-start-reverse',
        },
        svg('path', { class: 'head', d: 'M0 0L10 5L0 10z' }),
      ),
    ),
    svg('rect', { class: 'back', x: 0, y: 0, width, height }),
    ...shapes,
  );
}

/** What is too long for the box; the table has it whole. */
function clip(line: string): string {
  const most = Math.floor((boxWidth - 20) / characterWidth);
  return line.length <= most ? line : `${line.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

function arrow(from: Point, to: Point, edge: CycleEdge, boxHeight: number): SvgNode[] {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy) || 1;
  // Bends to the left of its direction, so that two edges between the same two transactions do not cover each other.
  const bend = 0.22 * length + 30;
  const middle = { x: (from.x + to.x) / 2 + (dy / length) * bend, y: (from.y + to.y) / 2 - (dx / length) * bend };
  const start = leave(from, middle, boxHeight);
  const end = leave(to, middle, boxHeight);
  const text = shorten(edge.label, 44);
  const wide = text.length * characterWidth + 10;
  const label = { x: (start.x + 2 * middle.x + end.x) / 4, y: (start.y + 2 * middle.y + end.y) / 4 };
  return [
    svg('path', {
      class: `edge ${edge.kind}`,
      d: `M${start.x.toFixed(1)} ${start.y.toFixed(1)}Q${middle.x.toFixed(1)} ${middle.y.toFixed(1)} ${end.x.toFixed(1)} ${end.y.toFixed(1)}`,
      'marker-end': 'url(#arrowhead)',
    }),
    // On a ground of its own: the line goes behind the words.
    svg('rect', { class: 'back', x: label.x - wide / 2, y: label.y - 9, width: wide, height: 18 }),
    svg('text', { class: 'small', x: label.x, y: label.y + 4, 'text-anchor': 'middle' }, text),
  ];
}

/** Where the line from a box's middle towards a point leaves the box. */
function leave(box: Point, towards: Point, boxHeight: number): Point {
  const dx = towards.x - box.x;
  const dy = towards.y - box.y;
  const scale = Math.min(
    (boxWidth / 2 + 6) / Math.max(Math.abs(dx), 1e-6),
    (boxHeight / 2 + 6) / Math.max(Math.abs(dy), 1e-6),
  );
  return { x: box.x + dx * scale, y: box.y + dy * scale };
}
