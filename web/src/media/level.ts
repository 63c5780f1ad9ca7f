/** Loudness of a track, 0..1, about 12 times a second. */

const PERIOD_MS = 80;
let shared: AudioContext | null = null;

/** The page's one AudioContext; browsers allow only a few. */
export function audioContext(): AudioContext {
  shared ??= new AudioContext({ latencyHint: "interactive" });
  return shared;
}

/** RMS of samples in -1..1, mapped so that quiet speech is about 0.3 and loud speech about 0.9. */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const value of samples) sum += value * value;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  const decibel = 20 * Math.log10(Math.max(rms, 1e-5));
  return Math.min(1, Math.max(0, (decibel + 60) / 50));
}

export function meter(track: MediaStreamTrack, tell: (level: number) => void): () => void {
  const context = audioContext();
  void context.resume().catch(() => undefined);
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    tell(loudness(samples));
  }, PERIOD_MS);
  return () => {
    clearInterval(timer);
    source.disconnect();
    analyser.disconnect();
  };
}

/** A short two-note chime through the chosen speaker; resolves when it has been played. */
export async function chime(speaker: string | null): Promise<void> {
  const context = audioContext();
  await context.resume();
  const target = context.createMediaStreamDestination();
  const gain = context.createGain();
  gain.connect(target);
  const element = new Audio();
  element.srcObject = target.stream;
  if (speaker && "setSinkId" in element) await element.setSinkId(speaker).catch(() => undefined);
  await element.play();
  const start = context.currentTime + 0.05;
  [523.25, 659.25, 783.99].forEach((frequency, i) => {
    const note = context.createOscillator();
    note.frequency.value = frequency;
    note.connect(gain);
    note.start(start + i * 0.22);
    note.stop(start + i * 0.22 + 0.2);
  });
  gain.gain.setValueAtTime(0.0001, start);
  gain.gain.exponentialRampToValueAtTime(0.25, start + 0.04);
  gain.gain.setValueAtTime(0.25, start + 0.55);
  gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.8);
  await new Promise((done) => setTimeout(done, 950));
  element.pause();
  element.srcObject = null;
  gain.disconnect();
}

/** A soft tick for those who run the class; silent when the browser has not allowed sound yet. */
export function ding(): void {
  const context = audioContext();
  if (context.state !== "running") return;
  const note = context.createOscillator();
  const gain = context.createGain();
  note.frequency.value = 880;
  gain.gain.setValueAtTime(0.06, context.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.0001, context.currentTime + 0.35);
  note.connect(gain).connect(context.destination);
  note.start();
  note.stop(context.currentTime + 0.36);
}
