import type { VNode } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Columns, never, outcomes, type PageData } from '../page-data.ts';
import { drawCursor, gutter, prepare } from './canvas.ts';
import { factsOf, shortText } from './operation-text.ts';
import { color, onColors } from './theme.ts';
import { drawContext } from './timeline-context.ts';
import { firstFrom, type Lane, lanesOf } from './timeline-rows.ts';
import type { View, ViewState } from './view.ts';

const laneHeight = 20;
const viewportMax = 520;

interface TimelineProps {
  readonly page: PageData;
  readonly columns: Columns;
  readonly view: View;
  readonly state: ViewState;
}

/** Every operation as a bar on the run's time, in lanes by key, process or node, with faults and leaders above. */
export function Timeline({ page, columns, view, state }: TimelineProps): VNode {
  const lanes = useMemo(() => lanesOf(columns, state.group, state.search), [columns, state.group, state.search]);
  const scroller = useRef<HTMLDivElement>(null);
  const contextCanvas = useRef<HTMLCanvasElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [hover, setHover] = useState<{ operation: number; x: number; y: number } | undefined>(undefined);
  const involved = useMemo(() => new Set(page.stories.flatMap((story) => story.operations)), [page]);
  const marked = useMemo(() => new Set(page.stories.flatMap((story) => story.marked)), [page]);
  const pinned = useMemo(() => (state.pinned < 0 ? -1 : columns.invoke.indexOf(state.pinned)), [columns, state.pinned]);
  const height = Math.min(viewportMax, Math.max(lanes.length, 3) * laneHeight + 2);

  useEffect(() => {
    const paint = scheduled(() => {
      if (contextCanvas.current !== null) drawContext(contextCanvas.current, page, view);
      if (canvas.current !== null && scroller.current !== null) {
        drawLanes({
          canvas: canvas.current,
          top: scroller.current.scrollTop,
          page,
          columns,
          view,
          lanes,
          involved,
          marked,
        });
      }
    });
    paint();
    const stops = [view.onChange(paint), view.onCursor(paint), onColors(paint)];
    const element = scroller.current;
    element?.addEventListener('scroll', paint, { passive: true });
    const observer = new ResizeObserver(paint);
    if (element !== null) observer.observe(element);
    return () => {
      for (const stop of stops) stop();
      element?.removeEventListener('scroll', paint);
      observer.disconnect();
    };
  }, [page, columns, view, lanes, involved, marked]);

  // A pinned operation is brought into sight, whoever pinned it.
  useEffect(() => {
    if (pinned < 0 || scroller.current === null) return;
    const lane = lanes.findIndex(({ operations }) => operations.includes(pinned));
    const element = scroller.current;
    const y = lane * laneHeight;
    if (lane >= 0 && (y < element.scrollTop || y > element.scrollTop + element.clientHeight - laneHeight)) {
      element.scrollTop = Math.max(0, y - element.clientHeight / 2);
    }
  }, [pinned, lanes]);

  const at = (event: MouseEvent): { operation: number; x: number; y: number } | undefined => {
    const element = scroller.current;
    if (element === null) return undefined;
    const box = element.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    const lane = lanes[Math.floor((y + element.scrollTop) / laneHeight)];
    const operation = lane === undefined ? -1 : hit(columns, lane, page, view, x, element.clientWidth);
    return operation < 0 ? undefined : { operation, x, y };
  };

  const drag = useRef<{ x: number; from: number; to: number; moved: boolean } | undefined>(undefined);
  const timeAt = (clientX: number): number | undefined => {
    const box = scroller.current?.getBoundingClientRect();
    if (box === undefined) return undefined;
    const width = (scroller.current?.clientWidth ?? box.width) - gutter;
    return view.state.from + ((clientX - box.left - gutter) / width) * (view.state.to - view.state.from);
  };

  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    // Not through preact: a wheel handler that may stop the page from scrolling must say that it is not passive.
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey) {
        if (event.deltaX === 0) return;
        event.preventDefault();
        view.pan(event.deltaX / 600);
        return;
      }
      event.preventDefault();
      view.zoom(Math.exp(Math.min(Math.max(event.deltaY, -100), 100) / 200), timeAt(event.clientX) ?? 0);
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  });

  const pin = (operation: number): void => view.set({ pinned: operation < 0 ? -1 : (columns.invoke[operation] ?? -1) });
  const onKeyDown = (event: KeyboardEvent): void => {
    const actions: { readonly [key: string]: () => void } = {
      ArrowLeft: () => view.pan(-0.2),
      ArrowRight: () => view.pan(0.2),
      ArrowUp: () => view.zoom(0.7),
      ArrowDown: () => view.zoom(1 / 0.7),
      PageDown: () => scroller.current?.scrollBy(0, height),
      PageUp: () => scroller.current?.scrollBy(0, -height),
      Home: () => view.show(0, view.endSeconds),
      '.': () => pin(neighbour(columns, lanes, pinned, 1, page, view)),
      ',': () => pin(neighbour(columns, lanes, pinned, -1, page, view)),
      Escape: () => pin(-1),
    };
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  };

  const tip = hover;
  return (
    <div class="timeline">
      <canvas ref={contextCanvas} class="context" />
      <div
        ref={scroller}
        class="lanes"
        tabIndex={0}
        role="application"
        aria-label={`timeline of ${columns.count} operations in ${lanes.length} lanes; arrow keys pan and zoom, full stop and comma go from operation to operation`}
        style={{ height: `${height}px` }}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          drag.current = { x: event.clientX, from: view.state.from, to: view.state.to, moved: false };
        }}
        onPointerMove={(event) => {
          const dragging = drag.current;
          if (dragging !== undefined && event.buttons === 1) {
            const width = (scroller.current?.clientWidth ?? 1) - gutter;
            const shift = ((dragging.x - event.clientX) / width) * (dragging.to - dragging.from);
            if (Math.abs(event.clientX - dragging.x) > 3) dragging.moved = true;
            if (dragging.moved) view.show(dragging.from + shift, dragging.to + shift);
          }
          const time = timeAt(event.clientX);
          view.setCursor(time !== undefined && time >= view.state.from ? time : undefined);
          setHover(at(event));
        }}
        onPointerUp={(event) => {
          if (drag.current?.moved === false) pin(at(event)?.operation ?? -1);
          drag.current = undefined;
        }}
        onPointerLeave={() => {
          drag.current = undefined;
          setHover(undefined);
          view.setCursor(undefined);
        }}
      >
        <canvas ref={canvas} style={{ height: `${height}px` }} />
        <div style={{ height: `${Math.max(0, lanes.length * laneHeight - height)}px` }} />
      </div>
      {tip !== undefined && (
        <div
          class="tip"
          role="tooltip"
          style={{
            left: `${Math.min(tip.x + 14, (scroller.current?.clientWidth ?? 600) - 330)}px`,
            top: `${tip.y + (contextCanvas.current?.clientHeight ?? 0) + 18}px`,
          }}
        >
          {factsOf(columns, tip.operation, page.unitNs).map((fact) => (
            <div key={fact}>{fact}</div>
          ))}
        </div>
      )}
      <div class="pinned" aria-live="polite">
        {pinned >= 0 ? (
          <>
            <b>Pinned</b> {factsOf(columns, pinned, page.unitNs).join(' · ')}
          </>
        ) : state.pinned >= 0 ? (
          <>Operation {state.pinned} is not in this file; see history.ndjson.</>
        ) : (
          <span class="quiet">
            Click an operation to pin it; with the timeline focused, <kbd>.</kbd> and <kbd>,</kbd> go from one to the
            next.
          </span>
        )}
      </div>
    </div>
  );
}

/** At most one painting a frame, however often it is asked for. */
function scheduled(paint: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      paint();
    });
  };
}

function hit(columns: Columns, lane: Lane, page: PageData, view: View, x: number, width: number): number {
  if (x < gutter) return -1;
  const { from, to } = view.state;
  const perPixel = (((to - from) / (width - gutter)) * 1e9) / page.unitNs;
  const time = (from * 1e9) / page.unitNs + (x - gutter) * perPixel;
  const slack = 4 * perPixel;
  let best = -1;
  let bestDistance = slack;
  const { operations } = lane;
  // Lanes do not overlap: what covers the pointer starts just before it, or is the neighbour on either side.
  const near = firstFrom(columns, operations, time + slack);
  for (let at = Math.max(0, near - 30); at < near; at++) {
    const i = operations[at] ?? 0;
    const start = columns.start[i] ?? 0;
    const duration = columns.duration[i] ?? 0;
    const end = start + (duration === never ? slack : duration);
    const distance = time < start ? start - time : time > end ? time - end : 0;
    if (distance <= bestDistance) {
      best = i;
      bestDistance = distance;
    }
  }
  return best;
}

/** The next (or the one before) by time among what is in the lanes; without a pinned one, the first in sight. */
function neighbour(
  columns: Columns,
  lanes: readonly Lane[],
  pinned: number,
  step: 1 | -1,
  page: PageData,
  view: View,
): number {
  const shown: number[] = [];
  for (const { operations } of lanes) for (const i of operations) shown.push(i);
  shown.sort((a, b) => a - b);
  if (pinned < 0) {
    const from = (view.state.from * 1e9) / page.unitNs;
    return shown.find((i) => (columns.start[i] ?? 0) >= from) ?? -1;
  }
  return shown[shown.indexOf(pinned) + step] ?? pinned;
}

interface Drawing {
  readonly canvas: HTMLCanvasElement;
  readonly top: number;
  readonly page: PageData;
  readonly columns: Columns;
  readonly view: View;
  readonly lanes: readonly Lane[];
  readonly involved: ReadonlySet<number>;
  readonly marked: ReadonlySet<number>;
}

function drawLanes({ canvas, top, page, columns, view, lanes, involved, marked }: Drawing): void {
  const width = canvas.parentElement?.clientWidth ?? 0;
  const height = canvas.clientHeight;
  const context = prepare(canvas, width, height);
  if (context === undefined || width <= gutter) return;
  const { from, to, pinned } = view.state;
  const scale = (width - gutter) / (to - from);
  const x = (seconds: number): number => gutter + (seconds - from) * scale;
  const unit = page.unitNs / 1e9;

  context.save();
  context.beginPath();
  context.rect(gutter, 0, width - gutter, height);
  context.clip();
  context.fillStyle = color('band');
  for (const fault of page.faults) {
    const left = x(fault.start / 1e9);
    const right = fault.end === undefined ? width : x(fault.end / 1e9);
    if (right > gutter && left < width) context.fillRect(left, 0, Math.max(1, right - left), height);
  }
  if (page.windows !== undefined) drawMissing(context, page.windows, x, width, height);
  context.restore();

  const ink = color('ink');
  const quiet = color('quiet');
  const fills = { ok: color('ok-fill'), fail: color('fail-fill'), info: color('info-fill') };
  const strokes = { ok: color('ok'), fail: color('fail'), info: color('info') };
  const bad = color('bad');
  const badFill = color('bad-fill');
  context.font = '11px ui-monospace, Menlo, Consolas, monospace';
  context.textBaseline = 'middle';
  const firstLane = Math.max(0, Math.floor(top / laneHeight));
  const lastLane = Math.min(lanes.length - 1, Math.floor((top + height) / laneHeight));
  for (let row = firstLane; row <= lastLane; row++) {
    const lane = lanes[row];
    if (lane === undefined) continue;
    const y = row * laneHeight - top;
    if (lane.name !== undefined) {
      context.fillStyle = color('line');
      context.fillRect(0, y, width, 1);
    }
    const sticky = row === firstLane && lane.name === undefined;
    if (lane.name !== undefined || sticky) {
      context.fillStyle = sticky ? quiet : ink;
      context.fillText(clip(lane.group, 17), 8, y + laneHeight / 2 + 1, gutter - 14);
    }
    context.save();
    context.beginPath();
    context.rect(gutter, y, width - gutter, laneHeight);
    context.clip();
    const begin = Math.max(0, firstFrom(columns, lane.operations, from / unit) - 1);
    let lastPixel = -1;
    for (let at = 0; at < begin; at++) {
      // Of unknown outcome, and from before what is in sight: it may still happen here.
      if (columns.outcome[lane.operations[at] ?? 0] === 2) {
        context.globalAlpha = 0.35;
        context.fillStyle = strokes.info;
        context.fillRect(gutter, y + laneHeight - 3, width - gutter, 1);
        context.globalAlpha = 1;
        break;
      }
    }
    for (let at = begin; at < lane.operations.length; at++) {
      const i = lane.operations[at] ?? 0;
      const start = (columns.start[i] ?? 0) * unit;
      if (start > to) break;
      const duration = columns.duration[i] ?? 0;
      const left = x(start);
      const right = duration === never ? left + 3 : x(start + duration * unit);
      const outcome = outcomes[columns.outcome[i] ?? 2] ?? 'info';
      const invoke = columns.invoke[i] ?? 0;
      const special = involved.has(invoke) || invoke === pinned;
      // Thousands on one pixel look like one: plain ones are drawn once a pixel.
      if (outcome === 'ok' && !special && right - left < 1 && Math.floor(left) === lastPixel) continue;
      lastPixel = Math.floor(left);
      const wide = Math.max(right - left, special ? 3 : 1.5);
      if (outcome === 'info') {
        const fade = context.createLinearGradient(left, 0, width, 0);
        fade.addColorStop(0, strokes.info);
        fade.addColorStop(1, 'transparent');
        context.fillStyle = fade;
        context.globalAlpha = 0.6;
        context.fillRect(left, y + laneHeight - 4, width - left, 2);
        context.globalAlpha = 1;
      }
      context.fillStyle = marked.has(invoke) ? badFill : fills[outcome];
      context.strokeStyle = special ? bad : strokes[outcome];
      context.lineWidth = special ? 2 : 1;
      context.setLineDash(outcome === 'fail' ? [3, 2] : outcome === 'info' ? [1, 2] : []);
      if (wide >= 4) {
        context.fillRect(left + 0.5, y + 3.5, wide - 1, laneHeight - 7);
        context.strokeRect(left + 0.5, y + 3.5, wide - 1, laneHeight - 7);
      } else {
        context.fillStyle = special ? bad : strokes[outcome];
        context.fillRect(left, y + 4, wide, laneHeight - 8);
      }
      if (invoke === pinned) {
        context.setLineDash([]);
        context.strokeStyle = ink;
        context.strokeRect(left - 1.5, y + 1.5, wide + 3, laneHeight - 3);
      }
      const room = Math.floor((Math.min(right, width) - Math.max(left, gutter) - 8) / 6.7);
      if (room >= 4) {
        context.fillStyle = ink;
        const sign = outcome === 'fail' ? '✗ ' : outcome === 'info' ? '? ' : '';
        context.fillText(clip(sign + shortText(columns, i), room), Math.max(left, gutter) + 4, y + laneHeight / 2 + 1);
      } else if (wide >= 9 && outcome !== 'ok') {
        context.fillStyle = ink;
        context.fillText(outcome === 'fail' ? '✗' : '?', left + 1, y + laneHeight / 2 + 1);
      }
    }
    context.setLineDash([]);
    context.restore();
  }
  if (lanes.length === 0) {
    context.fillStyle = quiet;
    context.fillText('nothing matches', gutter + 10, 20);
  }
  drawCursor(context, view, x, height);
}

/** Where the file has no operations, the lanes are hatched: empty would look like silence. */
function drawMissing(
  context: CanvasRenderingContext2D,
  windows: NonNullable<PageData['windows']>,
  x: (seconds: number) => number,
  width: number,
  height: number,
): void {
  context.strokeStyle = color('line');
  context.lineWidth = 1;
  context.beginPath();
  let from = gutter;
  const hatch = (left: number, right: number): void => {
    for (let at = left - height; at < right; at += 8) {
      context.moveTo(Math.max(at, left), height - Math.max(0, left - at));
      context.lineTo(Math.min(at + height, right), height - Math.min(height, right - at));
    }
  };
  for (const [start, end] of windows) {
    const left = x(start / 1e9);
    if (left > from) hatch(Math.max(from, gutter), Math.min(left, width));
    from = Math.max(from, x(end / 1e9));
  }
  if (from < width) hatch(from, width);
  context.stroke();
}

function clip(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1)).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
