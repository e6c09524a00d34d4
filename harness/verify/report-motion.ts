import type { Page } from 'playwright-core';
import { z } from 'zod';

/** What a way of moving about cost the page. */
export interface Move {
  readonly move: string;
  /** The longest stretch in which the page answered nothing, in milliseconds. */
  readonly longestTaskMs: number;
  /** The longest time from a key, a turn of the wheel or a step of the pointer to the frame that shows what it did. */
  readonly longestAnswerMs: number;
}

const seen = z.object({ tasks: z.array(z.number()), answers: z.array(z.number()) });

/**
 * Long tasks as the browser reports them (50 ms and more); and of each input how long it took from when the browser got it
 * (not from when the page had time for it) until the next frame was drawn.
 */
const watch = `
  window.seen = { tasks: [], answers: [] };
  new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: 'longtask' });
  const { port1: drawn, port2: afterFrame } = new MessageChannel();
  const waiting = [];
  drawn.onmessage = () => seen.answers.push(...waiting.splice(0).map((since) => performance.now() - since));
  for (const input of ['keydown', 'wheel', 'pointermove', 'scroll']) {
    addEventListener(input, ({ timeStamp }) => {
      requestAnimationFrame(() => {
        waiting.push(timeStamp);
        afterFrame.postMessage('');
      });
    }, { capture: true, passive: true });
  }
`;
const restMs = 600;
const keyDelayMs = 60;

/** Scrolls, zooms, pans and searches, with what each cost. */
export async function movesOf(page: Page): Promise<readonly Move[]> {
  await page.waitForTimeout(restMs);
  await page.evaluate(watch);
  const moves: Move[] = [];
  const press = (keys: string) => async (): Promise<void> => {
    for (const key of keys) await page.keyboard.press(key, { delay: keyDelayMs });
  };
  const wheel = async (): Promise<void> => {
    await page.mouse.move(640, 700);
    for (let step = 0; step < 30; step++) {
      await page.mouse.wheel(0, step < 20 ? 250 : -400);
      await page.waitForTimeout(16);
    }
  };
  const lanes = async (): Promise<void> => {
    await page.locator('.lanes').scrollIntoViewIfNeeded();
    const box = await page.locator('.lanes').boundingBox();
    await page.mouse.move((box?.x ?? 0) + 600, (box?.y ?? 0) + 60);
    await page.keyboard.down('Control');
    for (let step = 0; step < 24; step++) {
      await page.mouse.wheel(0, step < 12 ? -80 : 80);
      await page.waitForTimeout(16);
    }
    await page.keyboard.up('Control');
  };
  const all: readonly (readonly [move: string, act: () => Promise<void>])[] = [
    ['scrolling', wheel],
    ['zooming by keys', press('wwwwwwssssss')],
    ['panning by keys', press('wwwddddaaaa0')],
    ['zooming by the wheel', lanes],
  ];
  for (const [move, act] of all) {
    await page.evaluate('seen.tasks.length = 0; seen.answers.length = 0;');
    await act();
    await page.waitForTimeout(restMs);
    const { tasks, answers } = seen.parse(await page.evaluate('seen'));
    if (answers.length === 0) throw new Error(`${move}: the page saw no input`);
    moves.push({ move, longestTaskMs: Math.max(0, ...tasks), longestAnswerMs: Math.max(...answers) });
  }
  return moves;
}
