import { color } from './theme.ts';
import type { View } from './view.ts';

/** Width of the names on the left of every time axis, in pixels. */
export const gutter = 132;

/** Sizes a canvas for the screen's pixels and clears it. */
export function prepare(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D | undefined {
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext('2d');
  if (context === null) return undefined;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** The line under the pointer, in every picture at the same time. */
export function drawCursor(
  context: CanvasRenderingContext2D,
  view: View,
  x: (seconds: number) => number,
  height: number,
): void {
  if (view.cursor === undefined) return;
  const at = x(view.cursor);
  if (at < gutter) return;
  context.fillStyle = color('quiet');
  context.fillRect(Math.round(at), 0, 1, height);
}
