/** Runs tasks one after another, in the order of the calls; a task that finds nothing running starts at once. */
export class Serial {
  #last: Promise<unknown> | null = null;

  run<T>(task: () => Promise<T>): Promise<T> {
    const running = this.#last === null ? task() : this.#last.then(task, task);
    this.#last = running;
    const clear = (): void => {
      if (this.#last === running) this.#last = null;
    };
    running.then(clear, clear);
    return running;
  }
}
