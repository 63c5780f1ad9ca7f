import { useRef, useSyncExternalStore } from "react";

/** One value, replaced as a whole; readers are told after each change. */
export class Store<T> {
  #value: T;
  #readers = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get = (): T => this.#value;

  set(change: Partial<T> | ((value: T) => Partial<T>)): void {
    const part = typeof change === "function" ? change(this.#value) : change;
    this.#value = { ...this.#value, ...part };
    for (const reader of [...this.#readers]) reader();
  }

  subscribe = (reader: () => void): (() => void) => {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  };
}

/** The selected part; re-renders only when it is another value (Object.is, or `same`). */
export function useStore<T, R>(store: Store<T>, select: (value: T) => R, same: (a: R, b: R) => boolean = Object.is): R {
  const last = useRef<{ value: R } | null>(null);
  const read = () => {
    const next = select(store.get());
    if (last.current && same(last.current.value, next)) return last.current.value;
    last.current = { value: next };
    return next;
  };
  return useSyncExternalStore(store.subscribe, read, read);
}

/** Shallow equality for selectors that build a small object or list. */
export function shallow<T>(a: T, b: T): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const left = Object.entries(a);
  if (left.length !== Object.keys(b).length) return false;
  return left.every(([key, value]) => Object.is(value, (b as Record<string, unknown>)[key]));
}
