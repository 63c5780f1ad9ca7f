/** Keeps a phone's screen on while in class; asked again whenever the page comes back to the front. Returns how to stop. */
export function keepAwake(): () => void {
  if (!("wakeLock" in navigator)) return () => undefined;
  let lock: WakeLockSentinel | null = null;
  let live = true;
  const ask = () => {
    if (document.visibilityState !== "visible" || !live) return;
    navigator.wakeLock.request("screen").then(
      (got) => {
        if (live) lock = got;
        else void got.release();
      },
      () => undefined,
    );
  };
  ask();
  document.addEventListener("visibilitychange", ask);
  return () => {
    live = false;
    document.removeEventListener("visibilitychange", ask);
    void lock?.release();
  };
}
