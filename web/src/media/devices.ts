/** Cameras, microphones and speakers of this machine: opening, listing, remembering the choice. */

export type DeviceProblem = "denied" | "missing" | "busy" | "insecure" | "failed" | "cancelled";
export type Choice = { camera: string | null; microphone: string | null; speaker: string | null };

export interface DeviceList {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

export const NO_DEVICES: DeviceList = { cameras: [], microphones: [], speakers: [] };
const KEY = "jiangtai.devices";

export function remembered(): Choice {
  try {
    return { camera: null, microphone: null, speaker: null, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { camera: null, microphone: null, speaker: null };
  }
}

export function remember(change: Partial<Choice>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...remembered(), ...change }));
  } catch {
    // Private windows may refuse storage; the choice then lasts as long as the page.
  }
}

/** Why a device could not be opened, from the name of the browser's error. */
export function problemOf(error: unknown): DeviceProblem {
  if (!isSecureContext || !navigator.mediaDevices) return "insecure";
  const name = error instanceof DOMException || error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "failed";
}

export async function listDevices(): Promise<DeviceList> {
  if (!navigator.mediaDevices?.enumerateDevices) return NO_DEVICES;
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId !== "");
  return { cameras: of("videoinput"), microphones: of("audioinput"), speakers: of("audiooutput") };
}

const VOICE: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

async function open(constraints: MediaStreamConstraints): Promise<MediaStreamTrack> {
  if (!navigator.mediaDevices) throw new DOMException("no media devices", "SecurityError");
  const stream = await navigator.mediaDevices.getUserMedia(constraints);
  const track = stream.getTracks()[0];
  if (!track) throw new DOMException("no track", "NotFoundError");
  return track;
}

/** Opens the device, or any other one when the remembered device is gone. */
async function openKind(kind: "audio" | "video", base: MediaTrackConstraints, device: string | null): Promise<MediaStreamTrack> {
  try {
    return await open({ [kind]: device ? { ...base, deviceId: { exact: device } } : base });
  } catch (error) {
    if (device && error instanceof DOMException && (error.name === "OverconstrainedError" || error.name === "NotFoundError"))
      return open({ [kind]: base });
    throw error;
  }
}

export const openMicrophone = (device: string | null) => openKind("audio", VOICE, device);

/** What a camera is asked for: 720p for those who teach, 360p for tiles: a class of cameras must not saturate a school's uplink. */
export const captureSize = (large: boolean) => (large ? { width: 1280, height: 720 } : { width: 640, height: 360 });

export function openCamera(device: string | null, large: boolean): Promise<MediaStreamTrack> {
  const { width, height } = captureSize(large);
  const frameRate = { ideal: large ? 30 : 24, max: 30 };
  return openKind("video", { width: { ideal: width }, height: { ideal: height }, frameRate }, device);
}

export interface ScreenTracks {
  video: MediaStreamTrack;
  audio: MediaStreamTrack | null;
}

export const canShareScreen = () => typeof navigator.mediaDevices?.getDisplayMedia === "function";

/** Asks which screen, window or tab to show, with its sound where the browser can give it. */
export async function openScreen(): Promise<ScreenTracks> {
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: { frameRate: { ideal: 15, max: 30 }, width: { max: 1920 }, height: { max: 1080 } },
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const video = stream.getVideoTracks()[0];
  if (!video) throw new DOMException("no screen", "NotFoundError");
  video.contentHint = "detail";
  return { video, audio: stream.getAudioTracks()[0] ?? null };
}

/** Calls back now and whenever a device is plugged in or out; returns how to stop. */
export function watchDevices(tell: (list: DeviceList) => void): () => void {
  let live = true;
  const read = () => {
    listDevices()
      .then((list) => live && tell(list))
      .catch(() => live && tell(NO_DEVICES));
  };
  read();
  navigator.mediaDevices?.addEventListener?.("devicechange", read);
  return () => {
    live = false;
    navigator.mediaDevices?.removeEventListener?.("devicechange", read);
  };
}
