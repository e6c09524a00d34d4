import type { VNode } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Columns, never, type PageData } from '../page-data.ts';
import { gutter } from './canvas.ts';
import { roles } from './lane-row.ts';
import { factsOf } from './operation-text.ts';
import { onColors } from './theme.ts';
import { drawContext } from './timeline-context.ts';
import { drawLanes } from './timeline-lanes.ts';
import { firstFrom, type Lane, laneHeight, lanesOf } from './timeline-rows.ts';
import type { View, ViewState } from './view.ts';

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
  const operationRoles = useMemo(() => rolesOf(page, columns), [page, columns]);
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
          roles: operationRoles,
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
  }, [page, columns, view, lanes, operationRoles]);

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
          {factsOf(columns, tip.operation, page).map((fact) => (
            <div key={fact}>{fact}</div>
          ))}
        </div>
      )}
      <div class="pinned" aria-live="polite">
        {pinned >= 0 ? (
          <>
            <b>Pinned</b> {factsOf(columns, pinned, page).join(' · ')}
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

function rolesOf(page: PageData, columns: Columns): Uint8Array {
  const involved = new Set(page.stories.flatMap((story) => story.operations));
  const marked = new Set(page.stories.flatMap((story) => story.marked));
  const of = new Uint8Array(columns.count);
  for (let i = 0; i < columns.count; i++) {
    const invoke = columns.invoke[i] ?? 0;
    of[i] = (involved.has(invoke) ? roles.involved : 0) | (marked.has(invoke) ? roles.marked : 0);
  }
  return of;
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
