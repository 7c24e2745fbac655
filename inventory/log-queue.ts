// A bounded queue that never refuses: when it is full the oldest goes and is counted. Used by open-log-lines.ts. Pure.

export type LogQueue<T> = {
  add(items: readonly T[]): void;
  /** Takes up to `count`, oldest first. */
  take(count: number): T[];
  readonly size: number;
  /** Dropped since {@link takeDropped} was last called. */
  readonly dropped: number;
  /** How many were dropped since this was last asked. */
  takeDropped(): number;
  /** Counts items that left the queue and could not be kept either. */
  countDropped(items: number): void;
};

/** @param capacity items held at most. */
export function logQueue<T>(capacity: number): LogQueue<T> {
  const ring = new Array<T | undefined>(capacity);
  let first = 0;
  let size = 0;
  let dropped = 0;

  function addOne(item: T): void {
    if (size === capacity) {
      first = (first + 1) % capacity;
      size -= 1;
      dropped += 1;
    }
    ring[(first + size) % capacity] = item;
    size += 1;
  }
  function takeOne(): T {
    const item = ring[first]!;
    ring[first] = undefined;
    first = (first + 1) % capacity;
    size -= 1;
    return item;
  }
  return {
    add: (items) => items.forEach(addOne),
    take: (count) => Array.from({ length: Math.min(count, size) }, takeOne),
    get size() {
      return size;
    },
    get dropped() {
      return dropped;
    },
    takeDropped: () => {
      const count = dropped;
      dropped = 0;
      return count;
    },
    countDropped: (items) => {
      dropped += items;
    },
  };
}
