/** What a reader looks at; it lives in the URL's hash, so that a link shows the same. Times are in seconds. */
export interface ViewState {
  readonly from: number;
  readonly to: number;
  /** The anomaly that is open, from 0. */
  readonly anomaly: number;
  /** Only keys that hold this text. */
  readonly search: string;
  readonly group: 'key' | 'process' | 'node';
  /** The invocation index of the pinned operation; -1 for none. */
  readonly pinned: number;
}

const zoomMinSeconds = 1e-5;

/** The view, and who wants to know when it changes. The charts and the timeline all show the same stretch of time. */
export class View {
  readonly endSeconds: number;
  state: ViewState;
  /** Where the pointer is on the time axis, in seconds; shown in every chart. */
  cursor: number | undefined;
  #listeners = new Set<() => void>();
  #cursorListeners = new Set<() => void>();
  #writing: number | undefined;

  /** @param group by what lanes are made until somebody chooses */
  constructor(endSeconds: number, group: ViewState['group']) {
    this.endSeconds = endSeconds;
    this.state = { from: 0, to: endSeconds, anomaly: 0, search: '', group, pinned: -1 };
    this.state = { ...this.state, ...this.#fromHash() };
    addEventListener('hashchange', () => this.set(this.#fromHash(), false));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onCursor(listener: () => void): () => void {
    this.#cursorListeners.add(listener);
    return () => this.#cursorListeners.delete(listener);
  }

  set(change: Partial<ViewState>, write = true): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
    if (write) this.#write();
  }

  setCursor(cursor: number | undefined): void {
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    for (const listener of this.#cursorListeners) listener();
  }

  /** Shows this stretch, kept inside the run and no shorter than can be told apart. */
  show(from: number, to: number): void {
    const length = Math.min(Math.max(to - from, zoomMinSeconds), this.endSeconds);
    const start = Math.min(Math.max((from + to - length) / 2, 0), this.endSeconds - length);
    this.set({ from: start, to: start + length });
  }

  /** A factor below 1 looks closer, around a time (the middle unless told). */
  zoom(factor: number, around = (this.state.from + this.state.to) / 2): void {
    const { from, to } = this.state;
    this.show(around - (around - from) * factor, around + (to - around) * factor);
  }

  /** A part of what is shown: 0.25 moves a quarter to the right. */
  pan(part: number): void {
    const { from, to } = this.state;
    const length = to - from;
    const start = Math.min(Math.max(from + length * part, 0), this.endSeconds - length);
    this.set({ from: start, to: start + length });
  }

  #write(): void {
    clearTimeout(this.#writing);
    this.#writing = setTimeout(() => {
      const { from, to, anomaly, search, group, pinned } = this.state;
      const parameters = new URLSearchParams({ t: `${round(from)}-${round(to)}`, group });
      if (anomaly > 0) parameters.set('a', String(anomaly + 1));
      if (search !== '') parameters.set('q', search);
      if (pinned >= 0) parameters.set('op', String(pinned));
      history.replaceState(null, '', `#${parameters}`);
    }, 200);
  }

  #fromHash(): Partial<ViewState> {
    const parameters = new URLSearchParams(location.hash.slice(1));
    const [from, to] = (parameters.get('t') ?? '').split('-').map(Number);
    const group = parameters.get('group');
    const anomaly = Number(parameters.get('a') ?? 1) - 1;
    const pinned = Number(parameters.get('op') ?? -1);
    return {
      ...(from !== undefined &&
        to !== undefined &&
        from >= 0 &&
        to > from && { from, to: Math.min(to, this.endSeconds) }),
      anomaly: Number.isSafeInteger(anomaly) && anomaly >= 0 ? anomaly : 0,
      search: parameters.get('q') ?? '',
      ...((group === 'key' || group === 'process' || group === 'node') && { group }),
      pinned: Number.isSafeInteger(pinned) ? pinned : -1,
    };
  }
}

function round(value: number): string {
  return String(Math.round(value * 1e6) / 1e6);
}
