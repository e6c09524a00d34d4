/** So much can be done at a time; whoever asks first is served first. */
export class Lanes {
  readonly size: number;
  #free: number;
  readonly #waiting: { readonly slots: number; readonly go: () => void }[] = [];

  constructor(size: number) {
    this.size = size;
    this.#free = size;
  }

  /** Waits for that many lanes, at most all there are, does the work and gives them back. */
  async with<T>(slots: number, work: () => Promise<T>): Promise<T> {
    const taken = Math.min(slots, this.size);
    await new Promise<void>((go) => {
      this.#waiting.push({ slots: taken, go });
      this.#serve();
    });
    try {
      return await work();
    } finally {
      this.#free += taken;
      this.#serve();
    }
  }

  #serve(): void {
    for (let [first] = this.#waiting; first !== undefined && first.slots <= this.#free; [first] = this.#waiting) {
      this.#waiting.shift();
      this.#free -= first.slots;
      first.go();
    }
  }
}
